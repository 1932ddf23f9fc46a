"""The work of judge, block by block: requests for what is not judged yet, and judgements from the answers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from oreline.job import Job, StageWriter
from oreline.judging import scorers
from oreline.judging.blocks import Prepared, prepared
from oreline.judging.books import write_block
from oreline.judging.cascade import flagged
from oreline.judging.cases import Case, Found
from oreline.judging.scorers import ModelScorer, model_scorers, scorer_named, strong_scorer
from oreline.llm import parking
from oreline.llm.requests import Answered, Request
from oreline.recipe.settings import STRONG

_FIRST = 0
"""Number of the round whose answers are parked for the cascade."""


@dataclass(frozen=True)
class Judging:
    """All scorers that call the recipe's own model: the `Task` of judge (see `llm.task`), or its first round.

    Units are (query, document, scorer); a request's `unit_ids` are its units, in the order shown. With `parks` the
    answers wait for `StrongJudging`, which writes the rows of both rounds.
    """

    parks: bool = False

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests about all documents that were not judged before."""
        asking = model_scorers(job.recipe)
        for part in prepared(job, block):
            for case in part.cases:
                yield from first_requests(part, case, asking)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows its schema and is about just the documents shown."""
        return scorers.usable(request, text)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Writes the judgements of a block; where an answer cannot be used, all its units are dropped."""
        if self.parks:
            parking.park(job, block, _FIRST, answers)
            return
        for part in prepared(job, block):
            found = list(_first_found(part, model_scorers(job.recipe), answers))
            write_block(job, part, found, answers, writer)


@dataclass(frozen=True)
class StrongJudging:
    """The second round of a cascade: the strong judge on what the first one flagged. Writes the rows of both."""

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests about what is flagged and was not judged by the strong model before."""
        strong = _strong(job)
        for part in prepared(job, block):
            first = _first_found(part, model_scorers(job.recipe), _before(job, block))
            for case, doc_ids in _flagged(job, part, first):
                yield from strong.requests(case, part.missing(case, strong.name, doc_ids), part.texts)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows its schema and is about just the documents shown."""
        return scorers.usable(request, text)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Writes the judgements of both rounds on a block."""
        strong, before = _strong(job), _before(job, block)
        for part in prepared(job, block):
            found = list(_first_found(part, model_scorers(job.recipe), before))
            pairs = [(case.query_id, doc_id) for case, doc_ids in _flagged(job, part, found) for doc_id in doc_ids]
            again = (part.known.get((*pair, strong.name)) for pair in pairs)
            found.extend(each for each in again if each is not None)
            found.extend(each for answered in answers for each in strong.found(answered))
            write_block(job, part, found, [*before, *answers], writer)


def first_requests(part: Prepared, case: Case, asking: Sequence[ModelScorer]) -> Iterator[Request]:
    """Yields the requests of some scorers about the documents of a case that they are not known to have judged."""
    for scorer in asking:
        yield from scorer.requests(case, part.missing(case, scorer.name), part.texts)


def _before(job: Job, block: bytes) -> list[Answered]:
    """Returns the answers of the first round; there is none if a cross-encoder alone goes before the strong judge."""
    return parking.parked(job, block, _FIRST) if model_scorers(job.recipe) else []


def _strong(job: Job) -> ModelScorer:
    found = strong_scorer(job.recipe)
    if found is None:
        raise ValueError("the strong judge was started without judge.cascade; this is a bug in oreline")
    return found


def _first_found(part: Prepared, asking: Sequence[ModelScorer], answers: Iterable[Answered]) -> Iterator[Found]:
    """Yields what is found of a block without the strong judge: known before, by the cross-encoder, by answers."""
    yield from (each for each in part.known.values() if not each.scorer.endswith(STRONG))
    yield from part.crossed
    by_name = {each.name: each for each in asking}
    for answered in answers:
        yield from by_name[scorer_named(answered.request)].found(answered)


def _flagged(job: Job, part: Prepared, found: Iterable[Found]) -> Iterator[tuple[Case, list[str]]]:
    by_query: defaultdict[str, list[Found]] = defaultdict(list)
    for each in found:
        by_query[each.query_id].append(each)
    said: Mapping[str, list[Found]] = by_query
    for case in part.cases:
        yield case, flagged(case, said.get(case.query_id, ()), job.recipe.judge)
