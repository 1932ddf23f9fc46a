"""The search as the design defines it, in plain numpy float64: slow, short, and what all others must equal."""

from collections.abc import Iterable, Sequence

import numpy as np

from oreline.search.scores import Float16, all_scores
from oreline.search.shards import NO_TARGETS, Found, Ranked, Shard, Targets, Wanted


def search(queries: Float16, shards: Iterable[Shard], wanted: Sequence[Wanted], targets: Targets = NO_TARGETS) -> Found:
    """Returns exact lists and counts; holds every score in memory (queries x documents x 8 bytes)."""
    blocks = list(shards)
    order = np.concatenate([np.empty(0, np.int64), *(shard.order for shard in blocks)])
    scores = np.concatenate(
        [np.empty((len(queries), 0)), *(all_scores(queries, shard.vectors) for shard in blocks)], axis=1
    )
    open_ = np.ones(scores.shape, np.bool_)
    lists = []
    for place, each in enumerate(wanted):
        start = 0
        for shard in blocks:
            if place < len(shard.left_out):
                open_[shard.left_out[place].queries, shard.left_out[place].rows + start] = False
            start += len(shard.order)
        lists.append(_best(scores, order, open_ & (scores < each.below[:, None]), each.k))
    ahead = [
        int(((scores[row] > score) | ((scores[row] == score) & (order < place))).sum())
        for row, score, place in zip(targets.queries, targets.scores, targets.order, strict=True)
    ]
    return Found(tuple(lists), np.array(ahead, np.int64))


def _best(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    order: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    eligible: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    k: int,
) -> Ranked:
    rows, places, values = [], [], []
    for row in range(len(scores)):
        open_ = np.flatnonzero(eligible[row])
        best = open_[np.lexsort((order[open_], -scores[row, open_]))][:k]
        rows.extend([row] * len(best))
        places.extend(order[best].tolist())
        values.extend(scores[row, best].tolist())
    return Ranked(np.array(rows, np.int64), np.array(places, np.int64), np.array(values, np.float64))
