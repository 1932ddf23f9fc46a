"""What a cross-encoder says of a block: scored group by group, and stored on the way, so that nothing is done twice."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from oreline.errors import CallError
from oreline.job import Job
from oreline.judging.blocks import CROSS_ENCODER, Prepared, read_again
from oreline.judging.books import store_verdicts
from oreline.judging.cases import Case, Found
from oreline.judging.cross_encoder import LocalCrossEncoder, PairScorer, Scores, Unscored, query_shown
from oreline.judging.reranking import RerankingServer
from oreline.recipe.settings import CrossEncoder

STORE_PAIRS = 4_096
"""Scores are stored after so many: what a run that is killed loses at most, per worker."""

_GROUP = 64


@dataclass(frozen=True)
class Measured:
    """What the cross-encoder found; None if the user ended the work before. Calls and tokens are a server's."""

    found: list[Found] | None
    calls: int = 0
    tokens: int = 0


def opened(settings: CrossEncoder, threads: int) -> PairScorer:
    """Returns the model, loaded here or behind its server; raises CallError if it cannot be had."""
    return RerankingServer(settings) if settings.server is not None else LocalCrossEncoder(settings, threads)


def measure(job: Job, part: Prepared, opened_scorer: Callable[[], PairScorer], told: Callable[[int], None]) -> Measured:
    """Scores all documents of a block's cases that no earlier round has scored.

    The model is opened when the first document needs it; `told` is called with how many are done. Raises CallError if
    no score can be had; what was scored by then is stored.
    """
    settings = job.recipe.judge.cross_encoder
    if settings is None:
        raise ValueError("the cross-encoder was started without judge.cross_encoder; this is a bug in oreline")
    wanted = {case.query_id: part.missing(case, CROSS_ENCODER) for case in part.cases}
    found = read_again(job, part, CROSS_ENCODER)  # what an earlier run of this bundle has stored
    done = {(each.query_id, each.doc_id) for each in found}
    work = [
        (case, [each for each in wanted[case.query_id] if (case.query_id, each) not in done]) for case in part.cases
    ]
    work = [(case, doc_ids) for case, doc_ids in work if doc_ids]
    told(sum(len(each) for each in wanted.values()) - sum(len(doc_ids) for _, doc_ids in work))
    calls = tokens = 0
    waiting: list[Found] = []
    try:
        for start in range(0, len(work), _GROUP):
            if job.stop_requested():
                return Measured(None, calls, tokens)
            group = work[start : start + _GROUP]
            failed: CallError | None = None
            for (case, doc_ids), scores in zip(group, _scored(settings, opened_scorer(), part, group), strict=True):
                if isinstance(scores, CallError):
                    failed = failed or scores
                    continue
                waiting.extend(_founds(settings, case, doc_ids, scores))
                calls, tokens = calls + scores.calls, tokens + scores.tokens
                told(len(doc_ids))
            if failed is not None:
                raise failed
            if len(waiting) >= STORE_PAIRS:
                store_verdicts(job, part, waiting)
                found, waiting = [*found, *waiting], []
    finally:
        store_verdicts(job, part, waiting)
    return Measured([*found, *waiting], calls, tokens)


def _scored(
    settings: CrossEncoder, scorer: PairScorer, part: Prepared, group: Sequence[tuple[Case, list[str]]]
) -> Iterator[Scores | CallError]:
    """Yields the scores of each case in turn, or why it has none; a server is asked about several cases at once.

    After a failure no further case is begun, but what is under way, and may be paid for, comes to its end.
    """
    failed: list[CallError] = []

    def one(work: tuple[Case, list[str]]) -> Scores | CallError:
        if failed:
            return failed[0]
        case, doc_ids = work
        try:
            return scorer.score(query_shown(settings, case), [part.texts[doc_id] for doc_id in doc_ids])
        except CallError as error:
            failed.append(error)
            return error

    if settings.server is None:
        yield from map(one, group)
        return
    with ThreadPoolExecutor(settings.concurrency) as pool:
        yield from pool.map(one, group)


def _founds(settings: CrossEncoder, case: Case, doc_ids: Sequence[str], scores: Scores) -> Iterator[Found]:
    for doc_id, value in zip(doc_ids, scores.values, strict=True):
        if isinstance(value, Unscored):
            yield Found(case.query_id, doc_id, CROSS_ENCODER, reject=value.reason, detail=value.detail)
        else:
            yield Found(case.query_id, doc_id, CROSS_ENCODER, value=value, model=settings.model)
