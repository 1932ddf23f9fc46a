"""The filter without its rater, run aside: which queries the rater would see. Leaves nothing behind."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from oreline import files
from oreline.commit import Pending, read_outcome
from oreline.errors import StageFailed
from oreline.filters.judged import join
from oreline.filters.parked import park
from oreline.job import Job
from oreline.recipe.settings import Beam
from oreline.stages.catalog import BY_NAME

MOST_QUERIES = 50_000
"""More queries are not tried: the filter would take its time twice."""

_BLOCK = 10_000
_STAGE = "filter"


@dataclass(frozen=True)
class Rated:
    """What the rater would see: blocks for `Asking`, to be rendered for `job`."""

    job: Job
    blocks: Sequence[bytes]


def can_rehearse(job: Job) -> bool:
    """Says whether the filter can be tried: its inputs are on this machine, and not too many."""
    return files.is_local(job.output) and sum(part.rows for part in job.parts("queries")) <= MOST_QUERIES


@contextmanager
def rated(job: Job) -> Iterator[Rated]:
    """Runs the filter's rules and duplicates over a job's inputs; the blocks can be read within the context.

    Raises StageFailed for what the filter would fail with, such as a benchmark that cannot be read.
    """
    from oreline.runner import run_pipeline

    with tempfile.TemporaryDirectory(prefix="oreline-plan-") as folder:
        for stage in BY_NAME:
            there = os.path.abspath(files.join(job.output, stage))
            if stage != _STAGE and os.path.isdir(there):  # tables may list parts of any earlier stage
                os.symlink(there, os.path.join(folder, stage))
        free = job.recipe.filter.model_copy(update={"rater": None, "safety": None, "quality": None})
        own = {"output": folder, "cache": job.recipe.cache_folder, "filter": free, "beam": Beam()}
        recipe = job.recipe.model_copy(update=own)
        aside = Job(folder, _STAGE, recipe, job.inputs)
        run_pipeline(aside, BY_NAME[_STAGE], Pending("plan", {}, ""), ())
        if (outcome := read_outcome(folder, _STAGE)) is not None:
            raise StageFailed(f"{_STAGE} would fail: {outcome.message}")
        found = Job(folder, _STAGE, job.recipe, {**job.inputs, "queries": _STAGE, "pairs": _STAGE})
        yield Rated(found, list(_blocks(found)))


def _blocks(found: Job) -> Iterator[bytes]:
    for group in found.row_groups("queries"):
        rows = found.read(group)
        for start in range(0, rows.num_rows, _BLOCK):
            some = rows.slice(start, _BLOCK)
            ids = [str(each) for each in some.column("query_id").to_pylist()]
            yield park(found, join(some, found.lookup("pairs", "query_id", ids)))
