"""How many requests a stage has whose inputs are there: rendered, looked up in the journal, counted."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from oreline.filters.rater import RaterTask
from oreline.forecast.ranges import Range
from oreline.forecast.rehearsal import MOST_QUERIES, can_rehearse, rated
from oreline.forecast.rendering import MOST_REQUESTS, Progress, Rendered, Rendering, Work, look_up
from oreline.job import Job
from oreline.judging.task import Judging
from oreline.llm.requests import Request
from oreline.recipe.settings import Llm
from oreline.stages.wiring import encode_row_group
from oreline.tables.reading import RowGroup
from oreline.writing.task import Writing

MOST_ROWS = 200_000
"""Of a table with more rows, `MOST_BLOCKS` row groups are read."""

MOST_BLOCKS = 16
MOST_DOCUMENTS_READ = 5_000_000
_SIGMAS = 4.0


@dataclass(frozen=True)
class Counted:
    """The requests of each of a section's models; of `scale` times as many if they are more than were rendered."""

    models: Sequence[Rendered]
    scale: float

    @property
    def exact(self) -> bool:
        """Says whether all requests were rendered."""
        return self.scale == 1.0

    @property
    def requests(self) -> Range:
        """All distinct requests."""
        return Range.exactly(sum(each.requests for each in self.models)) * self.scale

    def calls(self, model: Rendered) -> Range:
        """Returns how many requests of a model the journal does not settle."""
        if self.exact:
            return Range.exactly(model.calls)
        share = model.calls / max(1, model.requests)
        # Which model a request is given to is a draw as well.
        deviation = math.sqrt(max(1.0, model.requests * share * (1 - share)) + model.requests)
        return Range.about(model.calls * self.scale, _SIGMAS * deviation * self.scale)


def count_requests(job: Job, llm: Llm, cache: str, progress: Progress) -> Counted:
    """Returns the requests of a job's stage; at most `MOST_REQUESTS` are rendered, and the rest is said to be alike."""
    with _work(job) as work:
        rendering = Rendering(work, progress)
        models = look_up(cache, llm, rendering, work.task, lambda request: items_of(job, request))
        return Counted(models, rendering.scale)


def items_of(job: Job, request: Request) -> int:
    """Returns what an answer is about: queries to be written, documents to be graded, or one query to be rated."""
    if job.stage == "synthesize":
        return job.recipe.synthesize.per_document
    return len(request.unit_ids) if job.stage == "judge" else 1


def can_count(job: Job) -> bool:
    """Says whether a stage's requests can be rendered before it runs: the rater's only after the filter's rules."""
    return job.stage != "filter" or can_rehearse(job)


@contextmanager
def _work(job: Job) -> Iterator[Work]:
    if job.stage == "filter":
        with rated(job) as found:
            yield Work(found.job, RaterTask(), found.blocks, _first_unit, lambda: 0, MOST_QUERIES)
        return
    if job.stage == "synthesize":
        writing = Writing(job)
        chosen, some = _blocks(job.row_groups("documents"))
        yield Work(job, writing, chosen, _first_unit, lambda: _documents_chosen(job, writing), MOST_REQUESTS, some)
        return
    groups = job.row_groups("candidates")
    chosen, some = _blocks(groups)
    # The judge looks through all documents for each thousand queries.
    thousands = max(1, MOST_DOCUMENTS_READ // max(1, sum(part.rows for part in job.parts("documents"))))
    most = min(MOST_REQUESTS, thousands * 1_024)
    yield Work(job, Judging(), chosen, _query, lambda: sum(group.rows for group in groups), most, some)


def _blocks(groups: Sequence[RowGroup]) -> tuple[list[bytes], bool]:
    """Returns blocks of a table, of a large one some that are spread over it, and whether they are but some."""
    if sum(group.rows for group in groups) <= MOST_ROWS:
        return [encode_row_group(group) for group in groups], False
    step = -(-len(groups) // MOST_BLOCKS)
    return [encode_row_group(group) for group in groups[::step]], step > 1


def _first_unit(request: Request) -> str:
    return request.unit_ids[0]


def _query(request: Request) -> str:
    return str(cast("list[str]", json.loads(request.context))[0])


def _documents_chosen(job: Job, writing: Writing) -> int:
    chosen = 0
    for block in job.iterate("documents", ["dataset", "origin", "doc_id"]):
        columns = (block.column(name).to_pylist() for name in ("dataset", "origin", "doc_id"))
        chosen += sum(writing.plan.chooses(*row) for row in zip(*columns, strict=True))
    return chosen
