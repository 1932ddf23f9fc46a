"""Export without a recipe change: one more format for an output that is finished."""

import datetime as dt
from collections.abc import Sequence

from oreline import files
from oreline.commit import read_outcome, sweep
from oreline.errors import CallError, Interrupted, StageFailed
from oreline.exporters import jsonl, sentence_transformers
from oreline.exporters.layout import TRAIN, table_of
from oreline.exporters.sweeping import sweep_train
from oreline.fingerprint import inputs_of, pending
from oreline.job import Job
from oreline.lock import hold
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Export, Recipe
from oreline.runner import Running, run_pipeline
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Manifest, read_manifest

FORMATS: tuple[str, ...] = (sentence_transformers.NAME, jsonl.NAME)
"""The formats that there are."""


def export_again(output: str, name: str, beam_options: Sequence[str] = ()) -> Manifest:
    """Writes a finished output's triples as a trainer's files of the format `name`; returns export's manifest.

    The recipe's own formats and those asked for before stay. The manifest keeps the fingerprint that `oreline run`
    computes, so that running the recipe again has nothing to do and deletes nothing; once the triples or the
    recipe change, export writes the recipe's formats alone.

    Raises CallError for an unknown format, or an output without recipe or triples; LockedError if a run holds it.
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
        earlier = read_manifest(output, stage.name)
        formats = dict.fromkeys([*recipe.export.formats, *_formats_in(earlier), name])
        export = Export.model_validate(recipe.export.model_dump() | {"formats": [*formats]})
        now = pending(recipe, stage, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
        job = Job(output, stage.name, recipe.model_copy(update={"export": export}), inputs)
        files.delete(files.join(output, "_progress", "stop"))
        _run(Running(lambda: run_pipeline(job, stage, now, beam_options)))
        manifest = _settled(output, stage.name, now.written)
        sweep(output, stage.name)
        sweep_train(output, manifest)
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


def _run(running: Running) -> None:
    """Runs a pipeline in a thread of its own: Ctrl-C reaches this thread, and not a worker."""
    running.start()
    while not running.wait(0.2):
        pass
    if running.error is not None:
        raise StageFailed(f"export failed: {running.error}") from running.error


def _settled(output: str, stage: str, written: str) -> Manifest:
    outcome = read_outcome(output, stage)
    if outcome is not None and outcome.stopped:
        raise Interrupted("stopped in export; run the same command to go on")
    if outcome is not None:
        raise StageFailed(f"export failed: {outcome.message}")
    manifest = read_manifest(output, stage)
    if manifest is None or manifest.written != written:
        raise StageFailed(f"export ended without a manifest; see {files.join(output, 'run.log')}")
    return manifest
