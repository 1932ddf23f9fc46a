"""Fingerprints: whether a stage's output is there already. Equal ingredients, equal fingerprint, nothing to do."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import cast

from oreline.commit import Pending
from oreline.errors import BrokenTable
from oreline.files import FileInfo
from oreline.ids import Json, sha256_json
from oreline.prompting.prompt import Prompt
from oreline.reasons import UNANSWERED
from oreline.recipe.settings import Recipe, Source
from oreline.recipe.settings.mine import DENSE
from oreline.stages.catalog import STAGES, Stage, model_of
from oreline.tables.manifest import Manifest, broken_parts, read_manifest
from oreline.writing.catalog import chains_of
from oreline.writing.chain import ReadingChain


def inputs_of(recipe: Recipe, stage: Stage) -> dict[str, str]:
    """Returns, for each table that a stage reads, the last stage before it that writes the table in this recipe."""
    inputs: dict[str, str] = {}
    for earlier in STAGES[: STAGES.index(stage)]:
        if earlier.skipped(recipe) is None:
            inputs.update(dict.fromkeys((*earlier.writes, *earlier.adds), earlier.name))
    wanted = (*stage.reads, *stage.optional)
    return {table: inputs[table] for table in wanted if table in inputs}


def pending(
    recipe: Recipe, stage: Stage, written: str, adopted: Mapping[str, Manifest] = MappingProxyType({})
) -> Pending:
    """Returns a stage's fingerprint and ingredients; `written` is the time of the run in ISO 8601.

    `adopted` holds manifests of earlier stages that count although they are not in the output yet.

    Raises BrokenTable if an input is not finished, CallError if a source, prompt or encoder is not there.
    """
    ingredients: dict[str, Json] = {
        "stage": stage.name,
        "version": stage.version,
        "keys": stage.keys(recipe),
        "inputs": _input_digests(recipe, stage, adopted),
        **_outside_ingredients(recipe, stage),
        **_benchmark_ingredients(recipe, stage),
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
    if unanswered := manifest.drops.get(UNANSWERED, 0):
        return None, f"dropped without an answer: {unanswered:,}; asked again"
    return manifest, "finished"


def _changes(manifest: Manifest, now: Pending) -> list[str]:
    """Names the ingredients that differ, for the line that says why a stage runs again."""
    names = [name for name, value in now.ingredients.items() if value != manifest.ingredients.get(name)]
    return names or ["ingredients"]


def _input_digests(recipe: Recipe, stage: Stage, adopted: Mapping[str, Manifest]) -> dict[str, Json]:
    digests: dict[str, Json] = {}
    for table, source in inputs_of(recipe, stage).items():
        manifest = adopted.get(source) or read_manifest(recipe.output, source)
        if manifest is None:
            raise BrokenTable(f"{recipe.output}: {stage.name} reads {table} of stage {source}, which is not finished")
        digests[table] = manifest.digest(table)
    return digests


def _outside_ingredients(recipe: Recipe, stage: Stage) -> dict[str, Json]:
    """Returns what a stage depends on besides its keys and inputs: source files, prompts, encoder, prefixes."""
    if stage.name == "ingest":
        return {"sources": [_listing(source) for source in recipe.sources]}
    if stage.name == "dedup" and recipe.dedup.against:
        from oreline.minhash.remembered import known_digests

        return {"against": known_digests(recipe)}
    if stage.name == "embed":
        return _encoder_ingredients(recipe)
    if stage.name == "mine":
        from oreline.search.imported.checks import files_of

        runs: dict[str, Json] = {name: _files(files_of(settings)) for name, settings in recipe.runs().items()}
        return {"runs": runs} if runs else {}
    if stage.name == "export":
        from oreline.exporters.texts import texts_of

        return {"prefixes": asdict(texts_of(recipe).prefixes)}
    # A list, as a copied prompt may have the id of ours; the schema may be that of an answer's class.
    prompts = [[each.id, each.digest, sha256_json(each.answer_schema)] for each in prompts_of(recipe, stage.name)]
    found: dict[str, Json] = {"prompts": cast("Json", prompts)} if prompts else {}
    return {**found, **_writers_ingredients(recipe, stage), **_cross_encoder_ingredients(recipe, stage)}


def _encoder_ingredients(recipe: Recipe) -> dict[str, Json]:
    """Returns the identities and prefixes of the encoders whose vectors are used."""
    from oreline.encoders.identity import identity
    from oreline.encoders.prefixes import prefixes_of

    found: dict[str, Json] = {}
    for name, settings in recipe.encoders().items():
        encoder = identity(settings)
        found[name] = {"encoder": encoder.digest, "prefixes": asdict(prefixes_of(settings, encoder.folder))}
    reference = cast("dict[str, Json]", found.pop(DENSE))
    return {**reference, "further": found} if found else reference


def _cross_encoder_ingredients(recipe: Recipe, stage: Stage) -> dict[str, Json]:
    """Returns the cross-encoder's identity, where judge has one: another checkpoint in the same folder scores anew."""
    settings = recipe.judge.cross_encoder
    if stage.name != "judge" or settings is None or "cross_encoder" not in recipe.judge.scorers:
        return {}
    from oreline.judging.cross_encoder import identity

    return {"cross_encoder": identity(settings)}


def _writers_ingredients(recipe: Recipe, stage: Stage) -> dict[str, Json]:
    """Returns what stands in the files that writers read besides their prompts."""
    if stage.name != "synthesize" or model_of(recipe, stage.name) is None:
        return {}
    chains = chains_of(recipe)
    read: dict[str, Json] = {
        name: {**chain.digests} for name, chain in chains.items() if isinstance(chain, ReadingChain)
    }
    return {"writers": read} if read else {}


def _benchmark_ingredients(recipe: Recipe, stage: Stage) -> dict[str, Json]:
    """Returns what dedup and filter depend on where rows are compared with benchmarks: the benchmarks' files."""
    if stage.name not in ("dedup", "filter") or not recipe.decontaminate.against:
        return {}
    from oreline.decontamination.layout import listing

    return {"benchmarks": _files(listing(recipe.decontaminate))}


def _listing(source: Source) -> Json:
    """Returns the number of a source's files and their hash."""
    from oreline.sources.discovery import source_files

    return _files(source_files(source))


def _files(found: Sequence[FileInfo]) -> Json:
    """Returns the number of files and the hash of their paths, sizes and times: a manifest names no path."""
    return {"files": len(found), "sha256": sha256_json([[each.path, each.size, str(each.modified)] for each in found])}


def prompts_of(recipe: Recipe, stage: str) -> list[Prompt]:
    """Returns the prompts that a stage renders in this recipe; raises CallError if one cannot be read."""
    if model_of(recipe, stage) is None:
        return []
    if stage == "synthesize":
        return [prompt for chain in chains_of(recipe).values() for prompt in chain.prompts]
    if stage == "judge":
        from oreline.judging.scorers import model_scorers, strong_scorer

        strong = strong_scorer(recipe)
        prompts = [each for scorer in model_scorers(recipe) for each in scorer.prompts()]
        prompts += [] if strong is None else strong.prompts()
        return list({each.source: each for each in prompts}.values())
    from oreline.filters.asking import questions_of

    return [question.prompt(recipe) for question in questions_of(recipe)]
