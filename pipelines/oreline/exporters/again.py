"""Export without a recipe change: one more format for an output that is finished."""

import datetime as dt
from collections.abc import Sequence

from oreline import files
from oreline.errors import CallError
from oreline.exporters import jsonl, sentence_transformers
from oreline.exporters.layout import TRAIN, table_of
from oreline.fingerprint import inputs_of, pending
from oreline.job import Job
from oreline.lock import hold
from oreline.logs import log_file
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Export, Recipe
from oreline.running import execute
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Manifest, read_manifest, whole_manifest

FORMATS: tuple[str, ...] = (sentence_transformers.NAME, jsonl.NAME)
"""The formats that there are."""


def export_again(output: str, name: str, beam_options: Sequence[str] = ()) -> Manifest:
    """Writes a finished output's triples as a trainer's files of the format `name`; returns export's manifest.

    The recipe's own formats and those asked for before stay. The manifest keeps the fingerprint that `oreline run`
    computes, so that running the recipe again has nothing to do and deletes nothing; once the triples or the
    recipe change, export writes the recipe's formats alone.

    Raises CallError for an unknown format, or an output without recipe or triples; LockedError if a run holds it;
    StageFailed or Interrupted by how the job ended.
    """
    if name not in FORMATS:
        raise CallError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    recipe = stored_recipe(output)
    with hold(output):
        stage = BY_NAME["export"]
        inputs = inputs_of(recipe, stage)
        for table, source in inputs.items():
            if read_manifest(output, source) is None:
                raise CallError(
                    f"{output}: there are no finished {table} (stage {source}); run its recipe first: "
                    f"oreline run {files.join(output, 'recipe.yaml')}"
                )
        earlier = whole_manifest(output, stage.name)
        formats = dict.fromkeys([*recipe.export.formats, *_formats_in(earlier), name])
        export = Export.model_validate(recipe.export.model_dump() | {"formats": [*formats]})
        now = pending(recipe, stage, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
        job = Job(output, stage.name, recipe.model_copy(update={"export": export}), inputs)
        files.delete(files.join(output, "_progress", "stop"))
        with log_file(output, verbose=False):
            _, manifest = execute(job, stage, now, beam_options)
    return manifest


def stored_recipe(output: str) -> Recipe:
    """Returns the recipe that made an output, with `output` where it lies now; raises CallError if there is none."""
    path = files.join(output, "recipe.yaml")
    if not files.exists(path):
        raise CallError(f"{output}: there is no recipe.yaml in it; name the output folder of a run")
    return load_recipe(path).recipe.model_copy(update={"output": output})


def paths_of(output: str, manifest: Manifest, name: str) -> list[str]:
    """Returns the folders that hold a format's files, sorted."""
    parts = manifest.tables.get(table_of(name), ())
    return sorted({files.join(output, part.path.rpartition("/")[0]) for part in parts})


def _formats_in(manifest: Manifest | None) -> list[str]:
    tables = manifest.tables if manifest else {}
    found = [table.removeprefix(f"{TRAIN}/") for table in tables if table.startswith(f"{TRAIN}/")]
    return [each for each in found if each in FORMATS]
