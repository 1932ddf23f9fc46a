"""The first pass: a fast search whose scores are not exact, and what it must say for exact lists to come of it.

Per shard and tile of queries a first pass returns *finalists*: documents that may belong to a list. They are scored
exactly by others (`search.exact`), so a first pass only has to be honest about what it left away: of each document that
is no finalist it either knows that the list does not hold it, or its exact score is at most the row's `unseen`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from oreline.search.scores import Float16, Float64, Int64
from oreline.search.shards import Pairs, Shard, Targets


@dataclass(frozen=True)
class Sought:
    """A list that is sought for each query of a tile: its best `k` documents with exact score < `below`.

    `floor` is each row's k-th best exact score over earlier shards, -inf where there are fewer: a document whose exact
    score is surely below it need not be returned (one whose score may equal it must be).
    """

    k: int
    below: Float64
    floor: Float64


@dataclass(frozen=True)
class Tile:
    """Some queries with all that is asked of one shard.

    `queries` is float16, m x d, finite, no row longer than `norm`. `left_out[i]` are pairs (row of the tile, row of
    the shard) that are left out of list i and of all later ones; rows of the shard ascend, and a pair may stand twice.
    `targets` count over the whole shard, pairs left out or not; their `queries` are rows of the tile, ascending.
    """

    queries: Float16
    norm: float
    lists: tuple[Sought, ...]
    left_out: tuple[Pairs, ...]
    targets: Targets


@dataclass(frozen=True)
class Finalists:
    """Documents of a shard that may belong to a list, flat: rows of the tile, and rows of the shard (`places`).

    Rows ascend, no pair stands twice, and none is left out of the list. `unseen` has one value per row of the tile:
    the largest exact score that a document may have which is no finalist and not surely outside the list; -inf if
    there is none. `scores` are the exact scores of the finalists, from a pass that has found them on its way.
    """

    rows: Int64
    places: Int64
    unseen: Float64
    scores: Float64 | None = None


@dataclass(frozen=True)
class Passed:
    """What a first pass found: finalists per list, and per target the exact number of documents ahead of it.

    Those that the pass cannot tell apart from a target are counted by `ahead.wins`.
    """

    finalists: tuple[Finalists, ...]
    ahead: Int64


class Scan(Protocol):
    """A shard made ready (converted, or copied to a device), to be searched by tile after tile."""

    def search(self, tile: Tile) -> Passed:
        """Returns the finalists of a tile, and its counts."""
        ...


class FirstPass(Protocol):
    """A way to search. Which one is used, and how it cuts its work, changes speed and memory, never a result."""

    @property
    def queries(self) -> int:
        """Queries per tile, at most."""
        ...

    def open(self, shard: Shard) -> Scan:
        """Makes a shard of at least one document ready; only one is open at a time.

        Raises `scores.Unfit` for a vector that is not finite, or too long for exact scores.
        """
        ...


def inside(pairs: Pairs, part: slice) -> Pairs:
    """Returns the pairs of some queries, by row of the shard; queries count from the first of them."""
    inside = np.flatnonzero((pairs.queries >= part.start) & (pairs.queries < part.stop))
    queries, rows = pairs.queries[inside] - part.start, pairs.rows[inside]
    if (rows[1:] < rows[:-1]).any():
        sorting = np.argsort(rows, kind="stable")
        queries, rows = queries[sorting], rows[sorting]
    return Pairs(queries, rows)
