"""Exact places: how many documents stand ahead of a given one; what a first pass cannot tell apart, float64 decides."""

import numpy as np

from oreline.search.first_pass import Tile
from oreline.search.scores import Int64, pair_scores
from oreline.search.shards import Shard, Targets

_PAIRS_AT_ONCE = 1 << 20


def wins(tile: Tile, shard: Shard, targets: Int64, places: Int64) -> Int64:
    """Returns, per target of the tile, how many of some documents stand ahead of it: better, or equal and earlier.

    The documents are given as pairs (target, row of the shard), each pair once.
    """
    ahead = np.zeros(len(tile.targets.queries), np.int64)
    asked = tile.targets
    for start in range(0, len(targets), _PAIRS_AT_ONCE):
        target, place = targets[start : start + _PAIRS_AT_ONCE], places[start : start + _PAIRS_AT_ONCE]
        scores = pair_scores(tile.queries, asked.queries[target], shard.vectors, place)
        ahead_of = (scores > asked.scores[target]) | (
            (scores == asked.scores[target]) & (shard.order[place] < asked.order[target])
        )
        ahead += np.bincount(target[ahead_of], minlength=len(ahead))
    return ahead


class Counter:
    """The counts of all targets, while tile after tile of queries passes."""

    def __init__(self, targets: Targets) -> None:
        self._by_query = np.argsort(targets.queries, kind="stable").astype(np.int64)
        self._sorted = Targets(
            targets.queries[self._by_query], targets.scores[self._by_query], targets.order[self._by_query]
        )
        self.ahead = np.zeros(len(targets.queries), np.int64)

    def of(self, part: slice) -> Targets:
        """Returns the targets of some queries, ascending; their rows count from the first of these queries."""
        mine = self._slice(part)
        targets = self._sorted
        return Targets(targets.queries[mine] - part.start, targets.scores[mine], targets.order[mine])

    def add(self, part: slice, ahead: Int64) -> None:
        """Takes the counts of the targets that `of` gave."""
        self.ahead[self._by_query[self._slice(part)]] += ahead

    def _slice(self, part: slice) -> slice:
        first, last = np.searchsorted(self._sorted.queries, [part.start, part.stop])
        return slice(int(first), int(last))
