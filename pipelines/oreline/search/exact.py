"""Exact top-k in two passes: float32 on CPU or GPU finds finalists, float64 decides, and a certificate proves it.

Per shard and query the first pass keeps the k + `SPARE_PLACES` documents with the largest float32 scores. What it did
not keep scores at most (smallest kept + error bound). A list is certain once its k-th exact score is above that, over
all shards; the few that are not (say, hundreds of equal texts) are scored again in float64 in full.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from oreline.search.ahead import Counter
from oreline.search.scores import Float16, Float64, Int64, all_scores, float32_error, largest_norm, pair_scores
from oreline.search.shards import NO_TARGETS, Found, Pairs, Ranked, Shard, Targets, Tiles, Wanted, best_of

SPARE_PLACES = 32
"""Places kept beyond k: near-ties within the float32 error rarely fill them."""

_INFINITE = float("inf")


@dataclass
class _List:
    """One wanted list while shards pass: exact hits so far by tile of queries, and the best score that was missed.

    `hits` has the first query of each tile as its key; its query rows count from 0 over all tiles.
    """

    wanted: Wanted
    unseen: Float64
    hits: dict[int, Ranked] = field(default_factory=dict)

    @classmethod
    def empty(cls, wanted: Wanted, queries: int) -> "_List":
        return cls(wanted, np.full(queries, -_INFINITE))

    def add(self, tile: int, queries: Int64, order: Int64, scores: Float64) -> None:
        """Takes exactly scored documents for a tile's queries and keeps each query's best k."""
        fits = scores < self.wanted.below[queries]
        queries, order, scores = queries[fits], order[fits], scores[fits]
        if (earlier := self.hits.get(tile)) is not None:
            queries = np.concatenate([earlier.queries, queries])
            order = np.concatenate([earlier.order, order])
            scores = np.concatenate([earlier.scores, scores])
        self.hits[tile] = _best(queries, order, scores, self.wanted.k)

    def uncertain(self, queries: int) -> Int64:
        """Returns the queries whose list may miss a document that no first pass kept."""
        last = np.full(queries, -_INFINITE)
        for tile, hits in self.hits.items():
            rows = int(hits.queries[-1]) + 1 - tile if len(hits.queries) else 0
            last[tile : tile + rows] = self.last(slice(tile, tile + rows))
        doubtful = (self.unseen > -_INFINITE) & (self.unseen >= last)
        return np.flatnonzero(doubtful).astype(np.int64)

    def last(self, part: slice) -> Float64:
        """Returns the k-th best score so far of each query of a tile, -inf where there are fewer."""
        last = np.full(part.stop - part.start, -_INFINITE)
        hits = self.hits.get(part.start)
        if self.wanted.k and hits is not None:
            counts = np.bincount(hits.queries - part.start, minlength=len(last))
            full = counts >= self.wanted.k
            last[full] = hits.scores[(np.cumsum(counts) - 1)[full]]
        return last

    def ranked(self) -> Ranked:
        """Returns the hits of all tiles as one list."""
        return _joined([self.hits[tile] for tile in sorted(self.hits)])


@dataclass(frozen=True)
class Search:
    """A search for a block of queries (float16, m x d).

    `shards` gives the same shards on each call: they are streamed, and only one is held at a time. Raises ValueError
    for vectors that are not finite or longer than `scores.LARGEST_NORM`.
    """

    queries: Float16
    shards: Callable[[], Iterable[Shard]]
    wanted: Sequence[Wanted]
    targets: Targets = NO_TARGETS
    device: str = "cpu"
    tiles: Tiles = field(default_factory=Tiles)

    def run(self) -> Found:
        """Returns the exact lists and counts."""
        lists = [_List.empty(each, len(self.queries)) for each in self.wanted]
        counter = Counter(self.queries, self.targets)
        norm = largest_norm(self.queries)
        for shard in self.shards():
            if len(shard.order):
                error = float32_error(self.queries.shape[1], norm, largest_norm(shard.vectors))
                self._scan(shard, lists, counter, error)
        doubts = [each.uncertain(len(self.queries)) for each in lists]
        ranked = [
            self._again(place, each, doubt) if len(doubt) else each.ranked()
            for place, (each, doubt) in enumerate(zip(lists, doubts, strict=True))
        ]
        return Found(tuple(ranked), counter.ahead, sum(len(doubt) for doubt in doubts))

    def _scan(self, shard: Shard, lists: list[_List], counter: Counter, error: float) -> None:
        """Passes one shard under all queries, by tiles."""
        vectors = torch.from_numpy(shard.vectors).to(self.device).to(torch.float32)
        for first in range(0, len(self.queries), self.tiles.queries):
            part = slice(first, min(first + self.tiles.queries, len(self.queries)))
            queries = torch.from_numpy(self.queries[part]).to(self.device, torch.float32)
            kept = [_Kept(each.wanted, part, error, self.device) for each in lists]
            for start in range(0, len(shard.order), self.tiles.documents):
                stop = min(start + self.tiles.documents, len(shard.order))
                scores = queries @ vectors[start:stop].T
                counter.count(scores, part, shard, start, error)
                for place, finalists in enumerate(kept):
                    if place < len(shard.left_out):
                        _mask(scores, shard.left_out[place], part, start, stop)
                    finalists.take(scores, start)
            for each, finalists in zip(lists, kept, strict=True):
                self._rescore(shard, part, each, finalists)

    def _rescore(self, shard: Shard, part: slice, each: _List, kept: "_Kept") -> None:
        """Scores a shard's finalists exactly and adds them to a list."""
        rows, places, unseen = kept.finalists(each.last(part))
        each.unseen[part] = np.maximum(each.unseen[part], unseen)
        queries = rows + part.start
        each.add(part.start, queries, shard.order[places], pair_scores(self.queries, queries, shard.vectors, places))

    def _again(self, place: int, each: _List, doubt: Int64) -> Ranked:
        """Scores some queries against all shards in float64, for a list that is certain."""
        fresh = _List.empty(Wanted(each.wanted.k, each.wanted.below[doubt]), len(doubt))
        row_of = np.full(len(self.queries), -1, np.int64)
        row_of[doubt] = np.arange(len(doubt))
        for shard in self.shards():
            for start in range(0, len(shard.order), self.tiles.documents):
                stop = min(start + self.tiles.documents, len(shard.order))
                for first in range(0, len(doubt), self.tiles.queries):
                    some = doubt[first : first + self.tiles.queries]
                    scores = all_scores(self.queries[some], shard.vectors[start:stop])
                    for pairs in shard.left_out[: place + 1]:
                        chosen = (row_of[pairs.queries] >= first) & (row_of[pairs.queries] < first + len(some))
                        chosen &= (pairs.rows >= start) & (pairs.rows < stop)
                        scores[row_of[pairs.queries[chosen]] - first, pairs.rows[chosen] - start] = -_INFINITE
                    rows, places = np.nonzero(scores > -_INFINITE)
                    fresh.add(first, rows + first, shard.order[places + start], scores[rows, places])
        before, merged = each.ranked(), fresh.ranked()
        certain = ~np.isin(before.queries, doubt)
        kept = Ranked(before.queries[certain], before.order[certain], before.scores[certain])
        both = _joined([kept, Ranked(doubt[merged.queries], merged.order, merged.scores)])
        return _best(both.queries, both.order, both.scores, each.wanted.k)


class _Kept:
    """The finalists of one list, one shard and one tile of queries, by float32 score."""

    def __init__(self, wanted: Wanted, part: slice, error: float, device: str) -> None:
        self._k = wanted.k + SPARE_PLACES if wanted.k else 0
        self._error = error
        below = wanted.below[part]
        self._limited = bool((below < _INFINITE).any())
        limit = torch.from_numpy(below + error).to(device, torch.float32)
        # Rounded up, so that nothing below the limit is lost.
        self._limit = torch.nextafter(limit, torch.full_like(limit, _INFINITE))[:, None]
        self._scores = torch.empty((len(below), 0), device=device)
        self._places = torch.empty((len(below), 0), dtype=torch.int64, device=device)

    def take(self, scores: torch.Tensor, start: int) -> None:
        """Takes a tile of float32 scores whose first document is `start` in its shard."""
        if self._k == 0:
            return
        if self._limited:
            scores = torch.where(scores <= self._limit, scores, -_INFINITE)
        best = torch.topk(scores, min(self._k, scores.shape[1]), dim=1)
        values = torch.cat([self._scores, best.values], dim=1)
        places = torch.cat([self._places, best.indices + start], dim=1)
        again = torch.topk(values, min(self._k, values.shape[1]), dim=1)
        self._scores, self._places = again.values, places.gather(1, again.indices)

    def finalists(self, last: Float64) -> tuple[Int64, Int64, Float64]:
        """Returns (rows, places, unseen): finalists, and per row a bound on the exact score of all that are not kept.

        `last` is each row's k-th best exact score over earlier shards: what surely stays below it is no finalist,
        nor is what surely stays below k others of this shard.
        """
        scores = self._scores.cpu().numpy().astype(np.float64)
        places = self._places.cpu().numpy()
        floor = last
        if not self._limited and 0 < self._k - SPARE_PLACES <= scores.shape[1]:
            floor = np.maximum(floor, scores[:, self._k - SPARE_PLACES - 1] - self._error)
        rows, columns = np.nonzero((scores > -_INFINITE) & (scores + self._error >= floor[:, None]))
        unseen = np.full(len(scores), -_INFINITE)
        if self._k and scores.shape[1] >= self._k:
            unseen = scores[:, -1] + self._error
        return rows.astype(np.int64), places[rows, columns], unseen


def _mask(scores: torch.Tensor, pairs: Pairs, part: slice, start: int, stop: int) -> None:
    inside = (pairs.queries >= part.start) & (pairs.queries < part.stop) & (pairs.rows >= start) & (pairs.rows < stop)
    if inside.any():
        rows = torch.from_numpy(pairs.queries[inside] - part.start).to(scores.device)
        columns = torch.from_numpy(pairs.rows[inside] - start).to(scores.device)
        scores[rows, columns] = -_INFINITE


def _joined(lists: Sequence[Ranked]) -> Ranked:
    none = Ranked(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    every = [none, *lists]
    return Ranked(
        np.concatenate([each.queries for each in every]),
        np.concatenate([each.order for each in every]),
        np.concatenate([each.scores for each in every]),
    )


def _best(rows: Int64, order: Int64, scores: Float64, k: int) -> Ranked:
    """Returns each query's best k of flat hits, sorted by (query, -score, order)."""
    keep = best_of(Ranked(rows, order, scores), k)
    return Ranked(rows[keep], order[keep], scores[keep])
