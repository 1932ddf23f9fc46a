"""What tests share: writing a stage's tables as if it had run, running one stage, and reading what came out."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apache_beam as beam
import pytest

from oreline.commit import Pending, read_outcome, sweep
from oreline.ids import Tally
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Recipe, Source
from oreline.records import ROW_TYPES
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Books, Manifest, read_manifest, write_manifest
from oreline.tables.reading import iterate
from oreline.tables.schema import from_arrow

Row = TypeVar("Row")


def recipe_for(output: Path, **sections: object) -> Recipe:
    """Returns a recipe with one source that is not read, and the given sections."""
    return Recipe.model_validate({"output": str(output), "sources": [Source(path="unread")], **sections})


def finish(recipe: Recipe, stage: str, tables: Mapping[str, Sequence[object]]) -> Manifest:
    """Commits `stage` with these rows, as if it had run and kept everything."""
    writer = StageWriter(Job(recipe.output, stage, recipe, {}))
    for table, rows in tables.items():
        writer.rows(table, rows)
    report = writer.close()
    grouped = {table: tuple(part for part in report.parts if part.table == table) for table in tables}
    manifest = Manifest(stage, 1, "test", {}, grouped, Books(Tally(), Tally()), {}, {}, "2026-01-01T00:00:00Z")
    write_manifest(recipe.output, manifest)
    return manifest


@contextmanager
def unrun_pipeline() -> Iterator[beam.Pipeline]:
    """A pipeline whose graph is looked at: Beam deletes its temporary folder only when it is run."""
    pipeline = beam.Pipeline()
    try:
        yield pipeline
    finally:
        shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)


def run_stage(
    recipe: Recipe, stage: str, inputs: Mapping[str, str] | None = None, beam_options: Sequence[str] = ()
) -> Manifest:
    """Runs one stage on one worker and returns its manifest; fails the test if it wrote none.

    `inputs` says which stage each table is read from.
    """
    job = Job(recipe.output, stage, recipe, dict(inputs or {}))
    run_pipeline(job, BY_NAME[stage], Pending("test", {}, "2026-01-01T00:00:00Z"), beam_options)
    sweep(recipe.output, stage)
    manifest, outcome = read_manifest(recipe.output, stage), read_outcome(recipe.output, stage)
    if manifest is None or outcome is not None:  # an earlier manifest may be there
        pytest.fail(f"{stage} wrote no manifest: {outcome}")
    return manifest


def rows_of(output: str | Path, stage: str, table: str, row_type: type[Row]) -> list[Row]:
    """Returns all rows of a committed table, sorted by their text."""
    assert ROW_TYPES[table] is row_type
    manifest = read_manifest(str(output), stage)
    assert manifest is not None, f"{stage} has no manifest"
    blocks = iterate(str(output), manifest.tables.get(table, ()))
    return sorted((row for block in blocks for row in from_arrow(row_type, block)), key=repr)


def data_folder(name: str) -> Path:
    """Returns a corpus below ORELINE_DATA; skips the test if there is none."""
    root = os.environ.get("ORELINE_DATA")
    if not root:
        pytest.skip("ORELINE_DATA is not set")
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder
