"""Gates: what a row's positives must pass, labelled and relabelled alike."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from oreline.recipe.settings import Mine, RoundTrip
from oreline.selection.positives import Positive


@dataclass(frozen=True)
class Graded:
    """Positives that pass the judge's gate, and those that fail it."""

    passed: tuple[Positive, ...]
    failed: tuple[Positive, ...]


def gate_by_grade(least: int, positives: Sequence[Positive]) -> Graded:
    """Parts positives by the judge's grade, 0 to 3; one that no judge graded passes."""
    failing = [positive for positive in positives if _below(positive, least)]
    return Graded(tuple(each for each in positives if each not in failing), tuple(failing))


def _below(positive: Positive, least: int) -> bool:
    return positive.verdict is not None and positive.verdict.grade is not None and positive.verdict.grade < least


def rank_among(
    final: Sequence[Positive], labelled: Sequence[Positive], datasets: Collection[str] | None
) -> tuple[Positive, ...]:
    """Returns the final positives with ranks that count the documents ahead that are not co-positives.

    Mining ranked them with the labelled positives left out. One of those that is no positive any more takes a rank
    again, if it stands in the searched corpus (searchable, and of `datasets`; None: of all); a relabelled one takes
    none any more.
    """
    kept, before = {each.doc_id for each in final}, {each.doc_id for each in labelled}
    new = [each for each in final if each.doc_id not in before]
    gone = [each for each in labelled if each.doc_id not in kept and _is_searched(each, datasets)]
    return tuple(
        each if each.rank is None else replace(each, rank=each.rank + _ahead_of(each, gone) - _ahead_of(each, new))
        for each in final
    )


def searched_datasets(settings: Mine, dataset: str) -> Collection[str] | None:
    """Returns the datasets that are searched for a dataset's queries; None for all."""
    if settings.within == "all":
        return None
    return (dataset,) if settings.within == "dataset" else settings.within


def _is_searched(positive: Positive, datasets: Collection[str] | None) -> bool:
    passage = positive.passage
    return passage.searchable and (datasets is None or passage.dataset in datasets)


def passes_round_trip(settings: RoundTrip, positives: Sequence[Positive]) -> bool:
    """Says whether the best positive's rank is at most `settings.rank`; without any rank there is nothing to fail.

    Round-trip consistency: Promptagator (arXiv:2209.11755), section 3.2.
    """
    ranks = [positive.rank for positive in positives if positive.rank is not None]
    return settings.action == "off" or not ranks or min(ranks) <= settings.rank


def _ahead_of(positive: Positive, others: Sequence[Positive]) -> int:
    return sum(1 for other in others if _order(other) < _order(positive))


def _order(positive: Positive) -> tuple[float, str]:
    return float("inf") if positive.score is None else -positive.score, positive.doc_id
