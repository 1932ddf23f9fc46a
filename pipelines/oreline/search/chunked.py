"""A first pass of plain torch: float32 scores of a chunk at a time and torch's top-k, on any device."""

from dataclasses import dataclass, field

import numpy as np
import torch

from oreline.search.ahead import wins
from oreline.search.first_pass import Finalists, Passed, Sought, Tile
from oreline.search.scores import Float64, Int64, float32_error, largest_norm
from oreline.search.shards import Pairs, Shard, Targets, Tiles

SPARE_PLACES = 32
"""Places kept beyond k: near-ties within the float32 error rarely fill them."""

_CELLS_AT_ONCE = 1 << 25
_INFINITE = float("inf")


@dataclass(frozen=True)
class Chunked:
    """A first pass that keeps the k + `SPARE_PLACES` documents with the largest float32 scores."""

    device: str = "cpu"
    tiles: Tiles = field(default_factory=Tiles)

    @property
    def queries(self) -> int:
        """Queries per tile, at most."""
        return self.tiles.queries

    def open(self, shard: Shard) -> "ChunkedScan":
        """Copies a shard to the device; raises Unfit for a vector that is not finite or too long."""
        vectors = torch.from_numpy(shard.vectors).to(self.device).to(torch.float32)
        return ChunkedScan(shard, vectors, largest_norm(shard.vectors), self.tiles.documents)


@dataclass(frozen=True)
class ChunkedScan:
    """A shard on a device: float32 vectors, no row longer than `norm`, searched `documents` at a time."""

    shard: Shard
    vectors: torch.Tensor
    norm: float
    documents: int

    def search(self, tile: Tile) -> Passed:
        """Returns the finalists of a tile, and its counts."""
        device = self.vectors.device
        error = float32_error(tile.queries.shape[1], tile.norm, self.norm)
        queries = torch.from_numpy(tile.queries).to(device).to(torch.float32)
        kept = [_Kept(sought, error, device) for sought in tile.lists]
        ahead = np.zeros(len(tile.targets.queries), np.int64)
        for start in range(0, len(self.vectors), self.documents):
            stop = min(start + self.documents, len(self.vectors))
            scores = queries @ self.vectors[start:stop].T
            ahead += self._ahead(scores, tile, start, error)
            for place, finalists in enumerate(kept):
                if place < len(tile.left_out):
                    _mask(scores, tile.left_out[place], start, stop)
                finalists.take(scores, start)
        return Passed(tuple(each.finalists() for each in kept), ahead)

    def _ahead(self, scores: torch.Tensor, tile: Tile, start: int, error: float) -> Int64:
        """Counts the documents ahead of each target; those within the error of its score are scored exactly."""
        ahead = np.zeros(len(tile.targets.queries), np.int64)
        step = max(1, _CELLS_AT_ONCE // max(1, scores.shape[1]))
        for begin in range(0, len(ahead), step):
            some = slice(begin, min(begin + step, len(ahead)))
            above, near, places = _apart(scores, tile.targets, some, error)
            ahead[some] += above
            ahead += wins(tile, self.shard, near + begin, places + start)
        return ahead


def _apart(scores: torch.Tensor, targets: Targets, some: slice, error: float) -> tuple[Int64, Int64, Int64]:
    """Returns, for some targets, how many documents surely score higher, and the (target, column) that may."""
    rows = torch.from_numpy(targets.queries[some]).to(scores.device)
    exact = torch.from_numpy(targets.scores[some]).to(scores.device)[:, None]
    # The error bound is twice what can happen, so rounding these limits to float32 loses nothing.
    high, low = (exact + error).float(), (exact - error).float()
    mine = scores[rows]
    above = mine > high
    near, places = torch.nonzero((mine >= low) & ~above, as_tuple=True)
    return above.sum(dim=1).cpu().numpy(), near.cpu().numpy(), places.cpu().numpy()


class _Kept:
    """The finalists of one list by float32 score, while chunks of a shard pass."""

    def __init__(self, sought: Sought, error: float, device: torch.device) -> None:
        self._sought = sought
        self._places_kept = sought.k + SPARE_PLACES if sought.k else 0
        self._error = error
        self._limited = bool((sought.below < _INFINITE).any())
        limit = torch.from_numpy(sought.below + error).to(device).to(torch.float32)
        # Rounded up, so that nothing below the limit is lost.
        self._limit = torch.nextafter(limit, torch.full_like(limit, _INFINITE))[:, None]
        self._scores = torch.empty((len(sought.below), 0), device=device)
        self._places = torch.empty((len(sought.below), 0), dtype=torch.int64, device=device)

    def take(self, scores: torch.Tensor, start: int) -> None:
        """Takes a chunk of float32 scores whose first document is `start` in its shard."""
        if self._places_kept == 0:
            return
        if self._limited:
            scores = torch.where(scores <= self._limit, scores, -_INFINITE)
        best = torch.topk(scores, min(self._places_kept, scores.shape[1]), dim=1)
        values = torch.cat([self._scores, best.values], dim=1)
        places = torch.cat([self._places, best.indices + start], dim=1)
        again = torch.topk(values, min(self._places_kept, values.shape[1]), dim=1)
        self._scores, self._places = again.values, places.gather(1, again.indices)

    def finalists(self) -> Finalists:
        """Returns those that may be among the best k, of this shard and over all."""
        scores = self._scores.cpu().numpy().astype(np.float64)
        places = self._places.cpu().numpy()
        k, floor = self._sought.k, self._sought.floor
        if not self._limited and 0 < k <= scores.shape[1]:
            floor = np.maximum(floor, scores[:, k - 1] - self._error)
        rows, columns = np.nonzero((scores > -_INFINITE) & (scores + self._error >= floor[:, None]))
        return Finalists(rows.astype(np.int64), places[rows, columns], self._unseen(scores))

    def _unseen(self, scores: Float64) -> Float64:
        if self._places_kept and scores.shape[1] >= self._places_kept:
            return np.asarray(scores[:, -1] + self._error, np.float64)
        return np.full(len(scores), -_INFINITE)


def _mask(scores: torch.Tensor, pairs: Pairs, start: int, stop: int) -> None:
    inside = (pairs.rows >= start) & (pairs.rows < stop)
    if inside.any():
        rows = torch.from_numpy(pairs.queries[inside]).to(scores.device)
        columns = torch.from_numpy(pairs.rows[inside] - start).to(scores.device)
        scores[rows, columns] = -_INFINITE
