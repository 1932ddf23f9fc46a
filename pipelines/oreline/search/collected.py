"""What a scan keeps per query: limits and the documents within them, for a list; limits and counts, for targets."""

from dataclasses import dataclass

import numpy as np

from oreline.search import scanning
from oreline.search.first_pass import Sought
from oreline.search.ordered import Keys, bounds, value_of
from oreline.search.scanning import NOTHING, Places
from oreline.search.scores import Float64, Halves, Int64
from oreline.search.shards import Targets

_LEAST_ROOM = 512
_INFINITE = float("inf")


@dataclass(frozen=True)
class Near:
    """How far first-pass scores are from exact ones: `errors` per query, then a share `rounding` of the score.

    `narrow`: they are bfloat16, else float32.
    """

    errors: Float64
    rounding: float
    narrow: bool

    @property
    def dtype(self) -> np.dtype[np.int16] | np.dtype[np.int32]:
        """The integers that hold keys."""
        return np.dtype(np.int16) if self.narrow else np.dtype(np.int32)

    def limits(self, rows: Int64, values: Float64) -> tuple[Int64, Int64]:
        """Returns (low, high) of some rows: a key below `low` is surely a score below the value, likewise above."""
        low, high = np.empty((2, len(values)), np.int64)
        bounds(values, self.errors[rows], self.rounding, self.narrow, low, high)
        return low, high

    def column(self, keys: Int64 | int) -> Keys:
        """Returns a key per query, for kernels."""
        limits = np.iinfo(self.dtype)
        column = np.empty(len(self.errors), np.int64)
        column[:] = keys
        clipped = np.clip(column, limits.min, limits.max)
        return clipped.astype(np.int16) if self.narrow else clipped.astype(np.int32)


class Collected:
    """One list while the chunks of a shard pass: per query its limits, and the documents within them."""

    def __init__(self, sought: Sought, near: Near) -> None:
        self._near = near
        self._rows = len(sought.below)
        self._k = sought.k
        rows = np.arange(self._rows)
        low, high, sure = (np.full(len(near.errors), value, np.int64) for value in (-NOTHING, NOTHING, NOTHING))
        low[: self._rows] = near.limits(rows, sought.floor)[0]
        sure[: self._rows], high[: self._rows] = near.limits(rows, sought.below)
        self._low, self._high, self._sure = near.column(low), near.column(high), near.column(sure - 1)
        room = max(_LEAST_ROOM, 4 * sought.k)
        self._keys = np.empty((self._rows, room), near.dtype)
        self._places: Places = np.empty((self._rows, room), np.int32)
        self._counts: Int64 = np.zeros(len(near.errors), np.int64)
        self._full: Int64 = np.full(len(near.errors), sought.k + scanning.FIRST, np.int64)
        self._missed: Int64 = np.full(len(near.errors), NOTHING, np.int64)

    def select(self, bits: Keys, first: int) -> None:
        """Takes a chunk of scores, whose first document is `first`."""
        if self._k:
            scanning.select(
                bits,
                first,
                self._k,
                self._low,
                self._high,
                self._sure,
                self._near.errors,
                self._near.rounding,
                self._keys,
                self._places,
                self._counts,
                self._full,
                self._missed,
            )

    def settle(self) -> None:
        """Drops what is surely not among the best k of the shard."""
        if self._k:
            scanning.settle(
                self._k,
                self._low,
                self._sure,
                self._near.errors,
                self._near.rounding,
                self._keys,
                self._places,
                self._counts,
                self._missed,
            )

    def found(self) -> tuple[Int64, Int64]:
        """Returns the documents that were kept, as pairs (query, shard row)."""
        counts = self._counts[: self._rows]
        filled = np.arange(self._keys.shape[1]) < counts[:, None]
        return np.repeat(np.arange(self._rows), counts), self._places[filled].astype(np.int64)

    def unseen(self) -> Float64:
        """Returns, per query, the largest exact score that a document may have which went for want of room."""
        unseen = np.full(self._rows, -_INFINITE)
        for row in np.flatnonzero(self._missed[: self._rows] > NOTHING):
            value = value_of(int(self._missed[row]), self._near.narrow)
            unseen[row] = value + self._near.errors[row] + self._near.rounding * abs(value)
        return unseen


@dataclass(frozen=True)
class Layer:
    """At most one target per query: its number (-1: none), and the limits of keys near its score."""

    target: Int64
    low: Keys
    high: Keys

    def count(  # noqa: PLR0917 - a chunk, and what is counted
        self,
        bits: Keys,
        first: int,
        targets: Targets,
        order: Int64,
        queries: Halves,
        vectors: Halves,
        ahead: Int64,
    ) -> None:
        """Adds to `ahead` (by target) the documents of a chunk ahead of the targets."""
        scanning.count_layer(
            bits,
            first,
            self.low,
            self.high,
            self.target,
            targets.scores,
            targets.order,
            order,
            queries,
            vectors,
            ahead,
        )


def layers(targets: Targets, near: Near) -> list[Layer]:
    """Spreads targets (queries ascending) over layers: the first of each query, the second, and so on."""
    if not len(targets.queries):
        return []
    place = np.arange(len(targets.queries)) - np.searchsorted(targets.queries, targets.queries)
    low, high = near.limits(targets.queries, targets.scores)
    found = []
    for number in range(int(place.max()) + 1):
        chosen = np.flatnonzero(place == number)
        rows = targets.queries[chosen]
        target, lows, highs = (np.full(len(near.errors), value, np.int64) for value in (-1, -NOTHING, -NOTHING))
        target[rows], lows[rows], highs[rows] = chosen, low[chosen], high[chosen]
        found.append(Layer(target, near.column(lows), near.column(highs)))
    return found
