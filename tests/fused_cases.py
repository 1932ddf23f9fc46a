"""Cases for the fused search, on whatever device the kernels run: Triton's interpreter on a CPU, or a GPU."""

from dataclasses import dataclass

import numpy as np
import torch

from oreline.search import reference
from oreline.search.chunked import Chunked
from oreline.search.exact import Search
from oreline.search.fused.launch import Config
from oreline.search.fused.scan import Fused, Tally
from oreline.search.scores import Float16, pair_scores
from oreline.search.shards import NO_TARGETS, Found, Pairs, Shard, Targets, Wanted

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

SMALL = Config(queries=16, documents=64, step=128, warps=4, stages=2, pairs=1024)
"""Bins of eight, so that a small corpus has many."""


def unit(rng: np.random.Generator, rows: int, dimension: int) -> Float16:
    vectors = rng.normal(size=(rows, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


def everything(queries: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.full(queries, np.inf)


def whole_pairs(rng: np.random.Generator, queries: int, documents: int, share: float) -> Pairs:
    rows, places = np.nonzero(rng.random((queries, documents)) < share)
    return Pairs(rows.astype(np.int64), places.astype(np.int64))


def some_targets(rng: np.random.Generator, queries: Float16, vectors: Float16, number: int) -> Targets:
    rows, places = rng.integers(0, len(queries), number), rng.integers(0, len(vectors), number)
    return Targets(rows, pair_scores(queries, rows, vectors, places), places)


@dataclass(frozen=True)
class World:
    """A search and its expected answer."""

    queries: Float16
    shards: list[Shard]
    wanted: tuple[Wanted, ...]
    targets: Targets = NO_TARGETS

    def assert_exact(self, fused: Fused) -> Tally:
        """Asserts that the fused search equals plain float64, bit for bit; returns which way queries went."""
        found = Search(self.queries, lambda: self.shards, self.wanted, self.targets, fused).run()
        assert_equal(found, reference.search(self.queries, self.shards, self.wanted, self.targets))
        # What the fused kernels settle, they settle for good; the fallback may leave a doubt.
        assert found.rescored == 0 or fused.tally.fallback
        return fused.tally


def fused_pass(config: Config | None = SMALL, memory: int = 1 << 22, bins_per_place: int = 0) -> Fused:
    return Fused(DEVICE, Chunked(DEVICE), 4_096, memory, bins_per_place, config)


def assert_equal(found: Found, expected: Found) -> None:
    for one, other in zip(found.lists, expected.lists, strict=True):
        np.testing.assert_array_equal(one.queries, other.queries)
        np.testing.assert_array_equal(one.order, other.order)
        # Plus zero, as the sign of a zero depends on how BLAS sums one product.
        assert (one.scores + 0.0).tobytes() == (other.scores + 0.0).tobytes()
    np.testing.assert_array_equal(found.ahead, expected.ahead)
