"""Exact top-k in two passes: a first pass finds finalists, float64 decides, and a certificate proves it.

What a first pass did not return scores at most its bound (`first_pass.Finalists.unseen`). A list is certain once its
k-th exact score is above that, over all shards; the few that are not (say, thousands of equal texts) are scored again
in float64 in full.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from oreline.search.ahead import Counter
from oreline.search.first_pass import FirstPass, Scan, Sought, Tile, inside
from oreline.search.lists import Lists
from oreline.search.passes import first_pass
from oreline.search.scores import Float16, Int64, Unfit, all_scores, largest_norm, pair_scores
from oreline.search.shards import NO_TARGETS, Found, Shard, Targets, Wanted

_INFINITE = float("inf")
_AGAIN_QUERIES = 256
_AGAIN_DOCUMENTS = 8_192


class UnfitVector(ValueError):
    """A vector that cannot be searched: of a query (its row), or of a document (its order)."""

    def __init__(self, side: Literal["query", "document"], place: int, problem: str) -> None:
        super().__init__(f"the vector of {side} {place} {problem}")
        self.side = side
        self.place = place
        self.problem = problem


@dataclass(frozen=True)
class Search:
    """A search for a block of queries (float16, m x d).

    `shards` gives the same shards on each call: they are streamed, and only one is held at a time. Raises UnfitVector
    for a vector that is not finite or longer than `scores.LARGEST_NORM`.
    """

    queries: Float16
    shards: Callable[[], Iterable[Shard]]
    wanted: Sequence[Wanted]
    targets: Targets = NO_TARGETS
    first_pass: FirstPass = field(default_factory=first_pass)

    def run(self) -> Found:
        """Returns the exact lists and counts."""
        lists = [Lists(each) for each in self.wanted]
        counter = Counter(self.targets)
        try:
            norm = largest_norm(self.queries)
        except Unfit as unfit:
            raise UnfitVector("query", unfit.row, unfit.problem) from unfit
        for shard in self.shards():
            if len(shard.order):
                scan = self._open(shard)
                for tile in self._tiles():
                    self._search(scan, shard, tile, norm, lists, counter)
        rescored = 0
        for place, each in enumerate(lists):
            doubt = each.uncertain()
            rescored += len(doubt)
            if len(doubt):
                self._again(place, each, doubt)
        return Found(tuple(each.ranked() for each in lists), counter.ahead, rescored)

    def _tiles(self) -> Iterable[slice]:
        step = self.first_pass.queries
        return (slice(first, min(first + step, len(self.queries))) for first in range(0, len(self.queries), step))

    def _open(self, shard: Shard) -> Scan:
        try:
            return self.first_pass.open(shard)
        except Unfit as unfit:
            raise UnfitVector("document", int(shard.order[unfit.row]), unfit.problem) from unfit

    def _search(  # noqa: PLR0917 - a tile with its books
        self, scan: Scan, shard: Shard, part: slice, norm: float, lists: Sequence[Lists], counter: Counter
    ) -> None:
        """Passes a shard under a tile of queries."""
        sought = tuple(Sought(each.wanted.k, each.wanted.below[part], each.last()[part]) for each in lists)
        left_out = tuple(inside(pairs, part) for pairs in shard.left_out)
        tile = Tile(self.queries[part], norm, sought, left_out, counter.of(part))
        passed = scan.search(tile)
        counter.add(part, passed.ahead)
        for each, found in zip(lists, passed.finalists, strict=True):
            each.unseen[part] = np.maximum(each.unseen[part], found.unseen)
            scores = found.scores
            if scores is None:
                scores = pair_scores(tile.queries, found.rows, shard.vectors, found.places)
            each.add(found.rows + part.start, shard.order[found.places], scores)

    def _again(self, place: int, each: Lists, doubt: Int64) -> None:
        """Scores some queries against all shards in float64, and puts lists that are certain in place of theirs."""
        fresh = Lists(Wanted(each.wanted.k, each.wanted.below[doubt]))
        row_of = np.full(len(self.queries), -1, np.int64)
        row_of[doubt] = np.arange(len(doubt))
        for shard in self.shards():
            for start in range(0, len(shard.order), _AGAIN_DOCUMENTS):
                part = slice(start, min(start + _AGAIN_DOCUMENTS, len(shard.order)))
                for first in range(0, len(doubt), _AGAIN_QUERIES):
                    some = doubt[first : first + _AGAIN_QUERIES]
                    scores = all_scores(self.queries[some], shard.vectors[part])
                    for pairs in shard.left_out[: place + 1]:
                        rows = row_of[pairs.queries] - first
                        chosen = (rows >= 0) & (rows < len(some)) & (row_of[pairs.queries] >= 0)
                        chosen &= (pairs.rows >= start) & (pairs.rows < part.stop)
                        scores[rows[chosen], pairs.rows[chosen] - start] = -_INFINITE
                    floor = fresh.last()[first : first + len(some), None]
                    rows, places = np.nonzero((scores > -_INFINITE) & (scores >= floor))
                    fresh.add(rows + first, shard.order[places + start], scores[rows, places])
        each.put(doubt, fresh)
