"""Exact places: how many documents stand ahead of a given one, counted in float32 and decided in float64."""

import numpy as np
import torch

from oreline.search.scores import Float16, pair_scores
from oreline.search.shards import Shard, Targets

_CELLS_AT_ONCE = 1 << 25


class Counter:
    """Counts, while tiles of scores pass, the documents ahead of each target: a higher score, or as high and earlier.

    Documents within the float32 error of a target's score are scored exactly; all others are told apart without it.
    """

    def __init__(self, queries: Float16, targets: Targets) -> None:
        self._queries = queries
        self._targets = targets
        self._by_query = np.argsort(targets.queries, kind="stable")
        self._sorted = targets.queries[self._by_query]
        self.ahead = np.zeros(len(targets.queries), np.int64)

    def count(self, scores: torch.Tensor, part: slice, shard: Shard, start: int, error: float) -> None:
        """Takes a tile: float32 scores of the queries `part` and the shard's documents from `start`."""
        first, last = np.searchsorted(self._sorted, [part.start, part.stop])
        step = max(1, _CELLS_AT_ONCE // max(1, scores.shape[1]))
        for begin in range(int(first), int(last), step):
            self._count(scores, self._by_query[begin : min(begin + step, int(last))], part, shard, start, error)

    def _count(  # noqa: PLR0917 - a tile with its place
        self,
        scores: torch.Tensor,
        chosen: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
        part: slice,
        shard: Shard,
        start: int,
        error: float,
    ) -> None:
        targets = self._targets
        rows = torch.from_numpy(targets.queries[chosen] - part.start).to(scores.device)
        exact = torch.from_numpy(targets.scores[chosen]).to(scores.device)[:, None]
        # The error bound is twice what can happen, so rounding these limits to float32 loses nothing.
        high, low = (exact + error).float(), (exact - error).float()
        mine = scores[rows]
        above = mine > high
        self.ahead[chosen] += above.sum(dim=1).cpu().numpy()
        near_target, near_place = torch.nonzero((mine >= low) & ~above, as_tuple=True)
        if len(near_target) == 0:
            return
        target = chosen[near_target.cpu().numpy()]
        place = near_place.cpu().numpy() + start
        near = pair_scores(self._queries, targets.queries[target], shard.vectors, place)
        wins = (near > targets.scores[target]) | (
            (near == targets.scores[target]) & (shard.order[place] < targets.order[target])
        )
        np.add.at(self.ahead, target[wins], 1)
