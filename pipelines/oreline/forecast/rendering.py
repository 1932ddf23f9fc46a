"""The real requests of a stage whose inputs are there, rendered and looked up in the journal."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import Protocol

from oreline.chunking.tokens import QUARTERS, quarter_tokens
from oreline.job import Job
from oreline.llm import journal
from oreline.llm.attempts import Ask, Settled, weigh
from oreline.llm.requests import Request

MOST_REQUESTS = 20_000
"""So many requests are rendered at most; where there are more, the same number of each block."""

SAMPLE = 32
"""Requests per model that are kept whole, for the provider's counter."""

Progress = Callable[[int], None]

Group = tuple[int, str]
"""Requests that are alike: the place of their model among the section's, and the id of their prompt."""


class Asks(Protocol):
    """What is rendered: a stage's task, or as much of one as can be known before it runs."""

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests of a block."""
        ...

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer's text follows its schema."""
        ...


def unseen(key: str, verdict: Settled | Ask) -> None:
    """Tells nobody what the journal says of a request."""


@dataclass
class Rendered:
    """The distinct requests of one of a section's models, or of those the ones that render one prompt.

    `calls` are those that the journal does not settle; `estimate` is the sum of their prompts' estimated tokens,
    `items` of what their answers are about. `sample` holds some of them, chosen by their keys. Of the journaled ones,
    `counted` is what the provider said their prompts have, `counted_estimate` what was estimated.
    """

    requests: int = 0
    calls: int = 0
    estimate: int = 0
    items: int = 0
    sample: list[Request] = field(default_factory=list)
    journaled: int = 0
    counted: int = 0
    counted_estimate: int = 0

    def add(self, other: "Rendered") -> None:
        """Takes the requests of another group, too."""
        self.requests += other.requests
        self.calls += other.calls
        self.estimate += other.estimate
        self.items += other.items
        self.sample += other.sample
        self.journaled += other.journaled
        self.counted += other.counted
        self.counted_estimate += other.counted_estimate


@dataclass(frozen=True)
class Sketch:
    """A request without its prompt, of which only the estimated length is kept."""

    request: Request
    estimate: int


@dataclass(frozen=True)
class Work:
    """What is rendered of a stage: blocks for its task, all there are or `some` of them, and `most` requests in all.

    `unit` names what a request is about, and `units` counts all there are of that, asked when not all were rendered.
    """

    job: Job
    task: Asks
    blocks: Sequence[bytes]
    unit: Callable[[Request], str]
    units: Callable[[], int]
    most: int
    some: bool = False


class Rendering:
    """A stage's requests, of many blocks the same number each; `cut` says whether some were left out."""

    def __init__(self, work: Work, progress: Progress) -> None:
        self._work, self._progress = work, progress
        self._each = max(1, work.most // max(1, len(work.blocks)))
        self._units: set[str] = set()
        self._rendered = 0
        self.cut = work.some

    def __iter__(self) -> Iterator[Request]:
        work = self._work
        for block in work.blocks:
            requests = work.task.render(work.job, block)
            for request in islice(requests, self._each):
                self._rendered += 1
                self._units.add(work.unit(request))
                self._progress(self._rendered)
                yield request
            self.cut = self.cut or next(requests, None) is not None

    @property
    def scale(self) -> float:
        """How many requests there are for each that was rendered."""
        return max(1.0, self._work.units() / max(1, len(self._units))) if self.cut else 1.0


def look_up(
    cache: str,
    attempts: int,
    requests: Iterable[Request],
    task: Asks,
    items: Callable[[Request], int],
    *,
    seen: Callable[[str, Settled | Ask], None] = unseen,
) -> dict[Group, Rendered]:
    """Returns the requests by model and prompt, weighed against the journal as a run would weigh them.

    `seen` is told of each key what the journal says.
    """
    found: defaultdict[Group, Rendered] = defaultdict(Rendered)
    samples: defaultdict[Group, dict[str, Request]] = defaultdict(dict)
    lanes: defaultdict[int, dict[str, Sketch]] = defaultdict(dict)
    for request in requests:
        bare = replace(request, system=None, prompt="", answer_schema="")
        lanes[request.lane][request.key] = Sketch(bare, estimate_of(request))
        kept = samples[_group(request)]
        kept[request.key] = request
        if len(kept) > 4 * SAMPLE:
            samples[_group(request)] = {key: kept[key] for key in heapq.nsmallest(SAMPLE, kept)}
    for lane, sketches in lanes.items():
        journaled = journal.read_lane(cache, lane, set(sketches))
        for key, sketch in sketches.items():
            tried = journaled.get(key, {})
            to = found[_group(sketch.request)]
            _count(to, sketch, tried)
            verdict = weigh(sketch.request, tried, task.usable, attempts)
            seen(key, verdict)
            if isinstance(verdict, Ask):
                to.calls += 1
                to.estimate += sketch.estimate
                to.items += items(sketch.request)
    for group, kept in samples.items():
        found[group].sample = [kept[key] for key in heapq.nsmallest(SAMPLE, kept)]
    return dict(sorted(found.items()))


def _group(request: Request) -> Group:
    return request.member, request.prompt_id


def _count(to: Rendered, sketch: Sketch, attempts: journal.Attempts) -> None:
    to.requests += 1
    first = attempts.get(0)
    if first is not None and first.prompt_tokens:
        to.journaled += 1
        to.counted += first.prompt_tokens
        to.counted_estimate += sketch.estimate


def estimate_of(request: Request) -> int:
    """Returns the estimated tokens of a request's prompt, system instruction included, response schema not."""
    return -(-(_quarters(request.system or "") + quarter_tokens(request.prompt + (request.scored or ""))) // QUARTERS)


def schema_estimate(request: Request) -> int:
    """Returns the estimated tokens of a request's response schema, which some providers count."""
    return -(-_quarters(request.answer_schema) // QUARTERS)


@lru_cache(maxsize=64)
def _quarters(text: str) -> int:
    return quarter_tokens(text)
