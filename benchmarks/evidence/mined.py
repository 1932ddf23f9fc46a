"""What a miner's rows are worth: known false negatives, hardness, and queries without a row."""

import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from evidence.hiding import Hidden

_TIE = 0.002
_FAR = 9.0


@dataclass(frozen=True)
class Row:
    """The negatives of a query with their similarity to it, hardest first or as drawn."""

    negatives: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Worth:
    """Of all queries: rows with as many negatives as asked for and with fewer, and queries without a row.

    Of the queries that have hidden positives: the share of rows and of negatives that are known to be wrong. The mean
    similarity is over all negatives.
    """

    rows: int
    short: int
    lost: int
    wrong_rows: float
    wrong_negatives: float
    similarity: float


def worth(rows: Mapping[str, Row], hidden: Hidden, negatives: int) -> Worth:
    """Returns what rows, by query, are worth."""
    kept = {query_id: row for query_id, row in rows.items() if row.negatives}
    judged = [(row, hidden.hidden[query_id]) for query_id, row in kept.items() if query_id in hidden.hidden]
    wrong = [sum(each in others for each in row.negatives) for row, others in judged]
    taken = sum(len(row.negatives) for row, _ in judged)
    scores = [score for row in kept.values() for score in row.scores]
    return Worth(
        rows=sum(len(row.negatives) == negatives for row in kept.values()),
        short=sum(len(row.negatives) < negatives for row in kept.values()),
        lost=len(hidden.shown.queries) - len(kept),
        wrong_rows=sum(each > 0 for each in wrong) / max(1, len(judged)),
        wrong_negatives=sum(wrong) / max(1, taken),
        similarity=statistics.fmean(scores) if scores else 0.0,
    )


def agreement(one: Mapping[str, Row], other: Mapping[str, Row]) -> tuple[int, float]:
    """Returns how many queries both have a row for, and the mean overlap (Jaccard) of their negatives there."""
    both = sorted(set(one) & set(other))
    shares = [_jaccard(one[each].negatives, other[each].negatives) for each in both]
    return len(both), statistics.fmean(shares) if shares else 0.0


@dataclass(frozen=True)
class Stricter:
    """What keeps one side alone from negatives: documents that it never takes, by query, and queries with more labels.

    The lowest of several labels makes a limit that refers to the positive lower.
    """

    barred: Mapping[str, Collection[str]]
    labelled: Collection[str]


def exchanges(
    one: Mapping[str, Row], other: Mapping[str, Row], stricter: Stricter, limits: Mapping[str, float]
) -> Counter[str]:
    """Counts the queries of which both sides have a row with other negatives, by what explains the difference.

    `stricter` is about `one`; `limits` are by query the similarity from which a document is no negative of `other`,
    where there is one. `tie`: the similarities of what was exchanged, or of one of them and the limit, differ
    by less than 0.002, which is what is left of a float16 number's digits after a sum.
    """
    found: Counter[str] = Counter()
    for each in set(one) & set(other):
        ours, theirs = _only(one[each], other[each]), _only(other[each], one[each])
        if not ours and not theirs:
            continue
        limit = limits.get(each, _FAR)
        barred = stricter.barred.get(each, ())
        if any(negative in barred for negative in theirs) or (each in limits and each in stricter.labelled):
            found["stricter"] += 1
        elif _near(theirs.values(), [*ours.values(), limit]) or _near(ours.values(), [*theirs.values(), limit]):
            found["tie"] += 1
        else:
            found["other"] += 1
    return found


def _near(scores: Collection[float], others: Sequence[float]) -> bool:
    return bool(scores) and all(min(abs(score - other) for other in others) < _TIE for score in scores)


def _only(row: Row, other: Row) -> dict[str, float]:
    found = zip(row.negatives, row.scores, strict=True)
    return {negative: score for negative, score in found if negative not in other.negatives}


def _jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    return len(set(one) & set(other)) / max(1, len(set(one) | set(other)))
