"""Reciprocal rank fusion of several scorers."""

from collections import defaultdict
from collections.abc import Mapping

K = 60


def shared_ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Returns each document's rank by value, best first from 1; equal values share the mean of their ranks."""
    ordered = sorted(values.values(), reverse=True)
    first: dict[float, int] = {}
    count: dict[float, int] = {}
    for place, value in enumerate(ordered, start=1):
        first.setdefault(value, place)
        count[value] = count.get(value, 0) + 1
    return {doc_id: first[value] + (count[value] - 1) / 2 for doc_id, value in values.items()}


def fuse(scorers: Mapping[str, Mapping[str, float]], k: int = K) -> dict[str, float]:
    """Returns each document's fused score, the sum over scorers of 1 / (k + rank), above 0; higher is better.

    `scorers` gives each scorer's values by document; ranks are shared as in `shared_ranks`. Where a scorer has no value
    for a document, that of a call that failed, say, the mean of what the others give it stands in its place: to add
    nothing would be to rank it last, and a document that nobody judged badly would be picked as the lowest-ranked.
    Reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009.
    """
    parts: defaultdict[str, list[float]] = defaultdict(list)
    for _, values in sorted(scorers.items()):
        for doc_id, rank in shared_ranks(values).items():
            parts[doc_id].append(1.0 / (k + rank))
    scoring = sum(1 for values in scorers.values() if values)
    return {doc_id: sum(found) * scoring / len(found) for doc_id, found in parts.items()}
