"""How many requests a stage has whose inputs are there: rendered, looked up in the journal, counted."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from oreline.filters.asking import Asking
from oreline.forecast.foreseen import Foreseen
from oreline.forecast.judged import CountedJudging
from oreline.forecast.later import Later, later_requests, unknown_companions
from oreline.forecast.ranges import Range, total
from oreline.forecast.rehearsal import MOST_QUERIES, can_rehearse, rated
from oreline.forecast.rendering import MOST_REQUESTS, Group, Progress, Rendered, Rendering, Work, look_up
from oreline.job import Job
from oreline.llm.requests import Request
from oreline.recipe.settings import Llm
from oreline.stages.wiring import encode_row_group
from oreline.tables.reading import RowGroup
from oreline.writing.chain import DrawingChain
from oreline.writing.draws import blocks_of_draws
from oreline.writing.task import Writing

MOST_ROWS = 200_000
"""Of a table with more rows, `MOST_BLOCKS` row groups are read."""

MOST_BLOCKS = 16
MOST_DOCUMENTS_READ = 5_000_000
_MOST_LATER = 50 * MOST_REQUESTS
"""Requests of a later round are as many as the works of the first round give: none is left out."""

_SIGMAS = 4.0


@dataclass(frozen=True)
class Counted:
    """The requests of each of a section's models; of `scale` times as many if they are more than were rendered.

    `groups` has them by model and prompt, `later` those that cannot be known yet (of all, whatever the scale).
    """

    models: Sequence[Rendered]
    scale: float
    groups: Mapping[Group, Rendered] = field(default_factory=dict)
    later: Sequence[Later] = ()

    @property
    def exact(self) -> bool:
        """Says whether all requests were rendered."""
        return self.scale == 1.0 and not self.later

    @property
    def requests(self) -> Range:
        """All distinct requests."""
        known = Range.exactly(sum(each.requests for each in self.models)) * self.scale
        return total([known, *(each.calls for each in self.later)])

    def calls(self, model: Rendered) -> Range:
        """Returns how many of some known requests the journal does not settle."""
        if self.scale == 1.0:
            return Range.exactly(model.calls)
        share = model.calls / max(1, model.requests)
        # Which model a request is given to is a draw as well.
        deviation = math.sqrt(max(1.0, model.requests * share * (1 - share)) + model.requests)
        return Range.about(model.calls * self.scale, _SIGMAS * deviation * self.scale)


def count_requests(job: Job, llm: Llm, cache: str, progress: Progress) -> Counted:
    """Returns the requests of a job's stage; at most `MOST_REQUESTS` are rendered, and the rest is said to be alike."""
    if job.stage == "synthesize":
        return _count_writing(job, llm, cache, progress)
    with _work(job) as work:
        rendering = Rendering(work, progress)
        groups = look_up(cache, llm.attempts, rendering, work.task, lambda request: items_of(job, request))
        return _counted(llm, groups, rendering.scale)


def _count_writing(job: Job, llm: Llm, cache: str, progress: Progress) -> Counted:
    """Counts round after round of the writers: of the later ones what the journal lets know, the rest is `later`."""
    writing = Writing(job)
    foreseen = Foreseen(writing, llm)
    found, some = _blocks(job.row_groups("documents"))
    blocks = [*found, *blocks_of_draws(writing.chains)]
    draws = sum(each.draws for each in writing.chains.values() if isinstance(each, DrawingChain))
    groups: dict[Group, Rendered] = {}
    scale, done = 1.0, 0
    for number in range(writing.rounds):
        foreseen.number = number
        most = MOST_REQUESTS if number == 0 else _MOST_LATER
        work = Work(job, foreseen, blocks, _first_unit, lambda: _documents_chosen(job, writing) + draws, most, some)
        rendering = Rendering(work, lambda rendered, done=done: progress(done + rendered))  # type: ignore[misc]  # bound now
        for group, rendered in look_up(cache, llm.attempts, rendering, foreseen, items, seen=foreseen.see).items():
            groups.setdefault(group, Rendered()).add(rendered)
            done += rendered.requests
        scale = rendering.scale if number == 0 else scale
    later = later_requests(writing, foreseen.waiting, scale)
    if foreseen.companions:
        later += unknown_companions(writing, foreseen.companions, llm, _documents_chosen(job, writing))
    return _counted(llm, groups, scale, later)


def _counted(llm: Llm, groups: Mapping[Group, Rendered], scale: float, later: Sequence[Later] = ()) -> Counted:
    models = [Rendered() for _ in llm.members()]
    for (member, _), rendered in groups.items():
        models[member].add(rendered)
    return Counted(models, scale, groups, later)


def items_of(job: Job, request: Request) -> int:
    """Returns what an answer is about: what its prompt asks for, documents to be graded, or one query to be rated."""
    if job.stage == "synthesize":
        return items(request)
    return len(request.unit_ids) if job.stage == "judge" else 1


def items(request: Request) -> int:
    """Returns how many things an answer is to list."""
    return request.items


def can_count(job: Job) -> bool:
    """Says whether a stage's requests can be rendered before it runs: the rater's only after the filter's rules."""
    return job.stage != "filter" or can_rehearse(job)


@contextmanager
def _work(job: Job) -> Iterator[Work]:
    if job.stage == "filter":
        with rated(job) as found:
            yield Work(found.job, Asking(), found.blocks, _first_unit, lambda: 0, MOST_QUERIES)
        return
    groups = job.row_groups("candidates")
    chosen, some = _blocks(groups)
    # The judge looks through all documents for each thousand queries.
    thousands = max(1, MOST_DOCUMENTS_READ // max(1, sum(part.rows for part in job.parts("documents"))))
    most = min(MOST_REQUESTS, thousands * 1_024)
    judging = CountedJudging()
    yield Work(job, judging, chosen, _query, lambda: judging.expected(sum(each.rows for each in groups)), most, some)


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
    names = ["dataset", "origin", "doc_id", "lang"]
    for block in job.iterate("documents", names):
        columns = (block.column(name).to_pylist() for name in names)
        chosen += sum(writing.plan.chooses(*row) for row in zip(*columns, strict=True))
    return chosen
