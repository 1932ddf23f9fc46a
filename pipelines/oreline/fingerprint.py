"""Fingerprints: whether a stage's output is there already. Equal ingredients, equal fingerprint, nothing to do."""

from oreline.commit import Pending
from oreline.errors import BrokenTable
from oreline.ids import Json, sha256_json
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import STAGES, Stage
from oreline.tables.manifest import Manifest, broken_parts, read_manifest


def inputs_of(recipe: Recipe, stage: Stage) -> dict[str, str]:
    """Returns, for each table that a stage reads, the last stage before it that writes the table in this recipe."""
    inputs: dict[str, str] = {}
    for earlier in STAGES[: STAGES.index(stage)]:
        if earlier.skipped(recipe) is None:
            inputs.update(dict.fromkeys((*earlier.writes, *earlier.adds), earlier.name))
    wanted = (*stage.reads, *stage.optional)
    return {table: inputs[table] for table in wanted if table in inputs}


def pending(recipe: Recipe, stage: Stage, written: str) -> Pending:
    """Returns a stage's fingerprint and ingredients; `written` is the time of the run in ISO 8601.

    Raises BrokenTable if an input is not finished, CallError if a source, prompt or encoder is not there.
    """
    ingredients: dict[str, Json] = {
        "stage": stage.name,
        "version": stage.version,
        "keys": stage.keys(recipe),
        "inputs": _input_digests(recipe, stage),
        **_outside_ingredients(recipe, stage),
    }
    return Pending(sha256_json(ingredients), ingredients, written)


def finished(recipe: Recipe, stage: Stage, now: Pending) -> tuple[Manifest | None, str]:
    """Returns the manifest of a stage whose output is there already, or None and the reason why it must run."""
    try:
        manifest = read_manifest(recipe.output, stage.name)
    except BrokenTable as error:
        return None, str(error)
    if manifest is None:
        return None, "not run yet"
    if manifest.fingerprint != now.fingerprint:
        return None, "changed: " + ", ".join(_changes(manifest, now))
    if problems := broken_parts(recipe.output, manifest):
        return None, problems[0]
    return manifest, "finished"


def _changes(manifest: Manifest, now: Pending) -> list[str]:
    """Names the ingredients that differ, for the line that says why a stage runs again."""
    names = [name for name, value in now.ingredients.items() if value != manifest.ingredients.get(name)]
    return names or ["ingredients"]


def _input_digests(recipe: Recipe, stage: Stage) -> dict[str, Json]:
    digests: dict[str, Json] = {}
    for table, source in inputs_of(recipe, stage).items():
        manifest = read_manifest(recipe.output, source)
        if manifest is None:
            raise BrokenTable(f"{recipe.output}: {stage.name} reads {table} of stage {source}, which is not finished")
        digests[table] = manifest.digest(table)
    return digests


def _outside_ingredients(recipe: Recipe, stage: Stage) -> dict[str, Json]:
    """Returns what a stage depends on besides its keys and inputs: source files, prompts, the encoder."""
    if stage.name == "ingest":
        from oreline.sources.discovery import source_files

        found = [[[each.path, each.size, str(each.modified)] for each in source_files(one)] for one in recipe.sources]
        return {"sources": [[*listing] for listing in found]}
    if stage.name == "embed":
        from oreline.encoders.identity import identity

        return {"encoder": identity(recipe.encoder).digest}
    prompts = prompt_ids(recipe, stage.name)
    if prompts:
        from oreline.prompting import load

        return {"prompts": {prompt: load(prompt).digest for prompt in prompts}}
    return {}


def prompt_ids(recipe: Recipe, stage: str) -> list[str]:
    """Returns the prompts that a stage renders in this recipe."""
    if stage == "synthesize":
        from oreline.writing.catalog import WRITERS

        known = [WRITERS[writer] for writer in recipe.writers() if writer in WRITERS]
        return sorted(writer.prompt_id for writer in known if writer.prompt_id is not None)
    if stage == "filter" and recipe.filter.rater is not None and recipe.llm_of("filter") is not None:
        return [recipe.filter.rater.prompt]
    if stage == "judge":
        return [f"judge/{scorer}" for scorer in recipe.judge.scorers]
    return []
