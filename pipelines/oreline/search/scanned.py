"""The first pass of a CPU: a matrix product of a chunk of documents, and a scan of it with running limits.

A score is looked at once: a query's limit is its k-th best so far, so nearly all are passed over, 32 or 16 in an
instruction. Products are of bfloat16 where the CPU multiplies matrices of it, ten times float32's rate; the wider error
costs some more finalists.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from oreline.search import scanning
from oreline.search.collected import Collected, Near, layers
from oreline.search.first_pass import Finalists, Passed, Sought, Tile, inside
from oreline.search.narrow import Narrowed, narrowed
from oreline.search.ordered import Keys
from oreline.search.scanning import LANES
from oreline.search.scores import Float16, Float64, Halves, float32_error, halves
from oreline.search.shards import Pairs, Shard, Targets, Tiles

_LEAST_DIMENSION = 128
_MOST_DOCUMENTS = 16_384
"""Documents of a chunk are counted in 16 bits."""

ROUNDING = 2.0**-8
"""How far rounding to bfloat16 (8 digits) moves a number at most, as a share of it."""


@dataclass(frozen=True)
class Scanned:
    """A first pass on the CPU; `narrow`: products of bfloat16."""

    narrow: bool
    tiles: Tiles = field(default_factory=Tiles)

    @property
    def queries(self) -> int:
        """Queries per tile, at most."""
        return self.tiles.queries

    def open(self, shard: Shard) -> "ScannedShard":
        """Converts a shard; raises Unfit for a vector that is not finite or too long."""
        # A sum of few products may take another way in the library, which need not add up in float32.
        narrow = self.narrow and shard.vectors.shape[1] >= _LEAST_DIMENSION
        converted = narrowed(shard.vectors, narrow, torch.get_num_threads())
        return ScannedShard(shard, converted, narrow, min(self.tiles.documents, _MOST_DOCUMENTS))


@dataclass(frozen=True)
class ScannedShard:
    """A shard, converted if `narrow`, searched `documents` at a time."""

    shard: Shard
    converted: Narrowed
    narrow: bool
    documents: int

    def search(self, tile: Tile) -> Passed:
        """Returns the finalists of a tile, with exact scores, and its counts."""
        threads = torch.get_num_threads()
        parts = _parts(len(tile.queries), threads)
        try:
            with ThreadPoolExecutor(
                threads, "oreline-search", initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                passed = list(pool.map(self._search, (_cut(tile, part) for part in parts)))
        finally:
            # The threads have set what new threads of this process begin with.
            torch.set_num_threads(threads)
        return _joined(parts, passed)

    def _search(self, tile: Tile) -> Passed:
        """Does all of `search` for some queries, in one thread."""
        queries = _padded(tile.queries)
        asked = narrowed(queries, self.narrow)
        near = self._near(asked)
        lists = [Collected(sought, near) for sought in tile.lists]
        counted = layers(tile.targets, near)
        ahead = np.zeros(len(tile.targets.queries), np.int64)
        bits, vectors = halves(queries), halves(self.shard.vectors)
        wide = torch.from_numpy(queries).double().numpy()
        for scores, first in self._chunks(asked.values):
            for layer in counted:
                layer.count(scores, first, tile.targets, self.shard.order, bits, vectors, ahead)
            for place, each in enumerate(lists):
                if place < len(tile.left_out):
                    pairs = _between(tile.left_out[place], first, first + len(scores))
                    scanning.mask(scores, first, pairs.queries, pairs.rows)
                each.select(scores, first)
        return Passed(tuple(self._finalists(each, wide, vectors) for each in lists), ahead)

    def _finalists(self, collected: Collected, queries: Float64, vectors: Halves) -> Finalists:
        collected.settle()
        rows, places = collected.found()
        scores = np.empty(len(rows), np.float64)
        scanning.score(rows, places, queries, vectors, scores)
        return Finalists(rows, places, collected.unseen(), scores)

    def _near(self, asked: Narrowed) -> Near:
        """Returns the error of scores: |x·y - x'·y'| <= |x||y - y'| + |x - x'||y'|, then that of summing."""
        longest, moved = float(self.converted.norms.max()), float(self.converted.moved.max())
        dimension = self.converted.values.shape[1]
        errors = np.array([float32_error(dimension, norm, longest + moved) for norm in asked.norms + asked.moved])
        errors += asked.norms * moved + asked.moved * (longest + moved)
        return Near(errors, ROUNDING if self.narrow else 0.0, self.narrow)

    def _chunks(self, queries: torch.Tensor) -> Iterator[tuple[Keys, int]]:
        """Yields a chunk's scores, documents x queries, as bits, and its first document; the next overwrites it."""
        vectors = self.converted.values
        # Documents x queries, as the product then has the few queries to rearrange and not the documents.
        right = queries.T.contiguous() if self.narrow else queries.T.float().contiguous()
        count = min(self.documents, len(vectors))
        room = torch.empty((count, len(queries)), dtype=right.dtype)
        # A chunk becomes float32 just before its product, and in the same place: there it is in the cache.
        wide = torch.empty((0 if self.narrow else count, vectors.shape[1]), dtype=torch.float32)
        for start in range(0, len(vectors), self.documents):
            some = vectors[start : start + self.documents]
            some = some if self.narrow else wide[: len(some)].copy_(some)
            scores = torch.mm(some, right, out=room[: len(some)])
            yield scores.view(torch.int16 if self.narrow else torch.int32).numpy(), start


def _padded(queries: Float16) -> Float16:
    """Returns the queries, and rows of zeros that make their number a multiple of `LANES`."""
    padded = np.zeros((-(-len(queries) // LANES) * LANES, queries.shape[1]), np.float16)
    padded[: len(queries)] = queries
    return padded


def _parts(count: int, threads: int) -> list[slice]:
    """Cuts `count` queries into a part per thread, all but the last a multiple of `LANES`."""
    blocks = -(-count // LANES)
    edges = [min(count, LANES * (blocks * number // threads)) for number in range(threads + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges) if start < stop]


def _cut(tile: Tile, part: slice) -> Tile:
    """Returns what is asked of some queries of a tile."""
    lists = tuple(Sought(each.k, each.below[part], each.floor[part]) for each in tile.lists)
    left_out = tuple(inside(pairs, part) for pairs in tile.left_out)
    asked = tile.targets
    mine = slice(*np.searchsorted(asked.queries, [part.start, part.stop]).tolist())
    targets = Targets(asked.queries[mine] - part.start, asked.scores[mine], asked.order[mine])
    return Tile(tile.queries[part], tile.norm, lists, left_out, targets)


def _joined(parts: Sequence[slice], passed: Sequence[Passed]) -> Passed:
    lists = zip(*(each.finalists for each in passed), strict=True)
    return Passed(tuple(_one(parts, found) for found in lists), np.concatenate([each.ahead for each in passed]))


def _one(parts: Sequence[slice], found: Sequence[Finalists]) -> Finalists:
    """Returns the finalists of one list of all parts."""
    return Finalists(
        np.concatenate([each.rows + part.start for each, part in zip(found, parts, strict=True)]),
        np.concatenate([each.places for each in found]),
        np.concatenate([each.unseen for each in found]),
        np.concatenate([each.scores for each in found if each.scores is not None]),
    )


def _between(pairs: Pairs, start: int, stop: int) -> Pairs:
    """Returns the pairs of some rows of the shard."""
    first, last = np.searchsorted(pairs.rows, [start, stop])
    return Pairs(pairs.queries[first:last], pairs.rows[first:last])
