"""Lanes: the candidates that some rules leave, and what lies below a ceiling in each query's, by bisection."""

from dataclasses import dataclass

import numpy as np

from oreline.calibration.pools import Bool, Float64, Int8, Int64


@dataclass(frozen=True)
class Lane:
    """Candidates in descending score within each query; `starts` (Q + 1) says where each query's begin.

    `sums` (N + 1) are running sums of the scores, `relevant`, `partly` and `known` (N + 1) running counts of those
    that are relevant, partly relevant, and known to be one or the other or neither.
    """

    starts: Int64
    score: Float64
    sums: Float64
    relevant: Int64
    partly: Int64
    known: Int64

    @classmethod
    def of(cls, starts: Int64, score: Float64, verdict: Int8 | None, kept: Bool) -> "Lane":
        """Takes the kept candidates; `verdict` (N) is 2 relevant, 1 partly, 0 irrelevant, -1 unknown, None: all are."""
        left = score if kept.all() else score[kept]
        begins = starts if left is score else _running(kept)[starts]
        sums = np.zeros(len(left) + 1)
        np.cumsum(left, out=sums[1:])
        if verdict is None:
            nothing = np.zeros(len(left) + 1, np.int64)
            return cls(begins, left, sums, nothing, nothing, nothing)
        chosen = verdict[kept]
        return cls(begins, left, sums, _running(chosen == 2), _running(chosen == 1), _running(chosen >= 0))

    @property
    def lengths(self) -> Int64:
        """The number of candidates of each query (Q)."""
        return np.diff(self.starts)

    def first_below(self, ceiling: Float64) -> Int64:
        """Returns, for each query, the place of its first candidate that scores less than the ceiling (Q)."""
        low, high = self.starts[:-1].copy(), self.starts[1:].copy()
        last = max(len(self.score) - 1, 0)
        while (low < high).any():
            middle = (low + high) // 2
            below = self.score[np.minimum(middle, last)] < ceiling
            searching = low < high
            high = np.where(searching & below, middle, high)
            low = np.where(searching & ~below, middle + 1, low)
        return low


def _running(flags: Bool) -> Int64:
    running = np.zeros(len(flags) + 1, np.int64)
    np.cumsum(flags, out=running[1:])
    return running
