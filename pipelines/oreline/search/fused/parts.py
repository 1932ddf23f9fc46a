"""Parts of a tile of queries, searched one after the other."""

from collections.abc import Iterator, Sequence

import numpy as np

from oreline.search.first_pass import Finalists, Passed, Sought, Tile
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Pairs, Targets


def memory_parts(tile: Tile, outputs: int, row_bytes: int, memory: int) -> Iterator[Int64]:
    """Yields the rows of a tile, in runs whose maxima and counts fit the memory: at least one row each.

    Each query has two rows of `row_bytes` per output, and one per target.
    """
    targets = np.bincount(tile.targets.queries, minlength=len(tile.queries))
    ends = np.cumsum((2 * outputs + targets) * row_bytes)
    start, before = 0, 0
    while start < len(ends):
        stop = max(start + 1, int(np.searchsorted(ends, before + memory, side="right")))
        yield np.arange(start, stop, dtype=np.int64)
        start, before = stop, int(ends[stop - 1])


def some_rows(tile: Tile, rows: Int64, targets: Targets | None = None) -> Tile:
    """Returns the tile of some queries (ascending rows), with their targets or those that are given."""
    row_of = np.full(len(tile.queries), -1, np.int64)
    row_of[rows] = np.arange(len(rows))
    if targets is None:
        mine = row_of[tile.targets.queries] >= 0
        asked = tile.targets
        targets = Targets(row_of[asked.queries[mine]], asked.scores[mine], asked.order[mine])
    lists = tuple(Sought(each.k, each.below[rows], each.floor[rows]) for each in tile.lists)
    pairs = []
    for each in tile.left_out:
        mine = row_of[each.queries] >= 0
        pairs.append(Pairs(row_of[each.queries[mine]], each.rows[mine]))
    return Tile(tile.queries[rows], tile.norm, lists, tuple(pairs), targets)


def joined(parts: Sequence[tuple[Int64, Passed]], lists: int) -> Passed:
    """Returns what was found for consecutive runs of queries, as one."""
    none = np.empty(0, np.int64)
    found = []
    for place in range(lists):
        mine = [(rows, passed.finalists[place]) for rows, passed in parts]
        found.append(
            Finalists(
                np.concatenate([none, *(rows[each.rows] for rows, each in mine)]),
                np.concatenate([none, *(each.places for _, each in mine)]),
                np.concatenate([np.empty(0), *(each.unseen for _, each in mine)]),
                _scores([each for _, each in mine]),
            )
        )
    return Passed(tuple(found), np.concatenate([none, *(passed.ahead for _, passed in parts)]))


def _scores(found: Sequence[Finalists]) -> Float64 | None:
    """Returns the exact scores of finalists, None if some are not known."""
    known = [each.scores for each in found if each.scores is not None]
    return np.concatenate([np.empty(0), *known]) if len(known) == len(found) else None
