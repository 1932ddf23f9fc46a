"""The lists of a search while shards pass: each query's best k so far, exactly scored, and the best score missed."""

import numpy as np

from oreline.minhash.compiled import compiled
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Ranked, Wanted

_INFINITE = float("inf")


class Lists:
    """One wanted list for all queries: per query its hits, best first (score, then the smaller order)."""

    def __init__(self, wanted: Wanted) -> None:
        queries = len(wanted.below)
        self.wanted = wanted
        self.unseen: Float64 = np.full(queries, -_INFINITE)
        self._scores: Float64 = np.full((queries, wanted.k), -_INFINITE)
        self._order: Int64 = np.zeros((queries, wanted.k), np.int64)
        self._counts: Int64 = np.zeros(queries, np.int64)

    def add(self, queries: Int64, order: Int64, scores: Float64) -> None:
        """Takes exactly scored documents, and keeps each query's best k below its ceiling."""
        if self.wanted.k and len(queries):
            _add(queries, order, scores, self.wanted.below, self._scores, self._order, self._counts)

    def last(self) -> Float64:
        """Returns the k-th best score so far of each query, -inf where there are fewer."""
        return self._scores[:, -1] if self.wanted.k else np.full(len(self._counts), _INFINITE)

    def uncertain(self) -> Int64:
        """Returns the queries whose list may miss a document that no first pass returned."""
        return np.flatnonzero((self.unseen > -_INFINITE) & (self.unseen >= self.last())).astype(np.int64)

    def put(self, queries: Int64, other: "Lists") -> None:
        """Replaces the lists of some queries by the rows of another."""
        self._scores[queries] = other._scores  # noqa: SLF001 - of the same class
        self._order[queries] = other._order  # noqa: SLF001 - of the same class
        self._counts[queries] = other._counts  # noqa: SLF001 - of the same class

    def ranked(self) -> Ranked:
        """Returns the hits of all queries, flat."""
        filled = np.arange(self.wanted.k) < self._counts[:, None]
        queries = np.repeat(np.arange(len(self._counts), dtype=np.int64), self._counts)
        return Ranked(queries, self._order[filled], self._scores[filled])


@compiled
def _add(  # noqa: PLR0917 - a kernel
    queries: Int64, order: Int64, scores: Float64, below: Float64, best: Float64, orders: Int64, counts: Int64
) -> None:
    """Puts hits into their queries' sorted lists."""
    for hit in range(len(queries)):
        query, score, mine = queries[hit], scores[hit], order[hit]
        if score >= below[query]:
            continue
        scores_of, orders_of, place = best[query], orders[query], counts[query]
        if place == len(scores_of):
            place -= 1
            if score < scores_of[place] or (score == scores_of[place] and mine > orders_of[place]):
                continue
        else:
            counts[query] += 1
        while place > 0 and (
            score > scores_of[place - 1] or (score == scores_of[place - 1] and mine < orders_of[place - 1])
        ):
            scores_of[place], orders_of[place] = scores_of[place - 1], orders_of[place - 1]
            place -= 1
        scores_of[place], orders_of[place] = score, mine
