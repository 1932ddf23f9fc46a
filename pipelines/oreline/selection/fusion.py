"""Reciprocal rank fusion of several scorers."""

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

    `scorers` gives each scorer's values by document. A scorer adds nothing to a document that it did not score.
    Reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009; ranks are shared as in `shared_ranks`.
    """
    fused: dict[str, float] = {}
    for _, values in sorted(scorers.items()):
        for doc_id, rank in shared_ranks(values).items():
            fused[doc_id] = fused.get(doc_id, 0.0) + 1.0 / (k + rank)
    return fused
