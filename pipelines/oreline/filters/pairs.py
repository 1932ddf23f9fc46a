"""Pairs: one judgement per query and document, whatever they were gathered from."""

from collections.abc import Iterable

from oreline.records import Pair

LABEL_ORDER = ("positive", "partial", "negative")
"""Where several judgements meet in one pair, the first of these wins."""

_SOURCE_ORDER = ("human", "class", "seed", "generated", "relabel")


def collapse(pairs: Iterable[Pair]) -> list[Pair]:
    """Returns one pair per query and document, sorted: positive before partial before negative, then the best grade."""
    best: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        key = (pair.query_id, pair.doc_id)
        if key not in best or _order(pair) < _order(best[key]):
            best[key] = pair
    return [best[key] for key in sorted(best)]


def _order(pair: Pair) -> tuple[int, float, int]:
    grade = float("-inf") if pair.grade is None else pair.grade
    return LABEL_ORDER.index(pair.label), -grade, _SOURCE_ORDER.index(pair.source)
