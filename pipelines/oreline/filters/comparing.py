"""Comparing: near rows among those that share a bucket, each pair of them verified exactly."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline.filters.leaders import EDGES
from oreline.filters.places import HUMAN
from oreline.minhash.grams import Sequences
from oreline.minhash.similarity import jaccard

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_PAIRS_AT_ONCE = 1_000_000
_SHINGLES_AT_ONCE = 16_000_000


@dataclass(frozen=True)
class Nodes:
    """The rows of some buckets, each once, sorted by place: flat columns, and their n-grams."""

    places: pa.Array
    scopes: npt.NDArray[np.uint64]
    doc_ids: pa.Array
    texts: pa.Array
    shingles: Sequences


@dataclass(frozen=True)
class Edges:
    """Near rows: EDGES, and the scope of each."""

    scopes: npt.NDArray[np.uint64]
    edges: pa.Table


Confirm = Callable[[Nodes, Ints, Ints], Bools]
"""Says of pairs of nodes with near queries whether they are near in all."""


def near_edges(sketches: pa.Table, threshold: float, confirm: Confirm | None, *, human: bool) -> Iterator[Edges]:
    """Yields the near rows of all buckets of a range (SKETCHES); `human`: also where the later row is a human's.

    Of rows that are alike, each is compared with the first of them alone, and only that one with others: many equal
    rows are no burden.
    """
    sketches = sketches.sort_by("place").combine_chunks()
    codes = np.asarray(sketches.column("place").combine_chunks().dictionary_encode().indices, np.int64)
    firsts = np.flatnonzero(np.diff(codes, prepend=-1))
    nodes = _nodes(sketches.take(pa.array(firsts)))
    humans = np.asarray(pc.starts_with(nodes.places, HUMAN).to_numpy(zero_copy_only=False), np.bool_)
    alike = np.asarray(sketches.column("alike").combine_chunks().dictionary_encode().indices, np.int64)
    buckets = sketches.column("bucket").to_numpy()
    order = np.lexsort((codes, alike, buckets))
    starts = _changes(buckets[order], alike[order])
    runs = np.repeat(np.flatnonzero(starts), np.diff(np.append(np.flatnonzero(starts), len(order))))
    later, earlier = codes[order][~starts], codes[order][runs[~starts]]
    once = _once(later, earlier, len(firsts))
    yield _edges(nodes, later[once], earlier[once], np.ones(len(once)), humans, equal=True, human=human)
    kept = order[starts]
    for left, right in _pairs(buckets[kept], codes[kept], len(firsts)):
        similarity = _similarity(nodes.shingles, left, right)
        near = (similarity >= threshold) & (nodes.scopes[left] == nodes.scopes[right])
        if confirm is not None and near.any():
            near[near] = confirm(nodes, left[near], right[near])
        yield _edges(nodes, right[near], left[near], similarity[near], humans, equal=False, human=human)


def _similarity(sets: Sequences, one: Ints, other: Ints) -> npt.NDArray[np.float64]:
    """Returns the Jaccard similarity of pairs of rows; only so many of their shingles are copied at a time."""
    lengths = np.diff(sets.starts)
    totals = np.cumsum(lengths[one] + lengths[other])
    cuts = np.searchsorted(totals, np.arange(_SHINGLES_AT_ONCE, totals[-1], _SHINGLES_AT_ONCE))
    pairs = zip(np.split(one, cuts), np.split(other, cuts), strict=True)
    return np.concatenate([jaccard(sets.take(left), sets.take(right)) for left, right in pairs])


def _nodes(rows: pa.Table) -> Nodes:
    lists = rows.column("shingles").combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    values = np.asarray(lists.flatten(), np.uint32)
    place, doc_id, text = (rows.column(name).combine_chunks() for name in ("place", "doc_id", "text_hash"))
    return Nodes(place, rows.column("scope").to_numpy(), doc_id, text, Sequences(values, starts))


def _changes(*columns: npt.NDArray[np.generic]) -> Bools:
    """Says for each row whether it differs from the one before it in any column."""
    changes = np.zeros(len(columns[0]), np.bool_)
    changes[:1] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return changes


def _once(one: Ints, other: Ints, number: int) -> Ints:
    """Returns the places at which each pair stands first."""
    _, firsts = np.unique(one * number + other, return_index=True)
    return np.asarray(firsts, np.int64)


def _pairs(buckets: npt.NDArray[np.uint64], nodes: Ints, number: int) -> Iterator[tuple[Ints, Ints]]:
    """Yields all pairs (earlier, later) of nodes that share a bucket, about a million at a time, each once in it."""
    order = np.lexsort((nodes, buckets))
    buckets, nodes = buckets[order], nodes[order]
    starts = np.flatnonzero(_changes(buckets))
    sizes = np.diff(np.append(starts, len(nodes)))
    following = np.repeat(starts + sizes, sizes) - np.arange(len(nodes)) - 1
    totals = np.cumsum(following)
    first = 0
    while first < len(nodes):
        done = totals[first] - following[first]
        last = max(first + 1, int(np.searchsorted(totals, done + _PAIRS_AT_ONCE, side="right")))
        counts = following[first:last]
        rows = np.repeat(np.arange(first, last), counts)
        steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        one, other = nodes[rows], nodes[rows + 1 + steps]
        chosen = _once(one, other, number)
        if len(chosen):
            yield one[chosen], other[chosen]
        first = last


def _edges(
    nodes: Nodes,
    later: Ints,
    earlier: Ints,
    similarity: npt.NDArray[np.float64],
    humans: Bools,
    *,
    equal: bool,
    human: bool,
) -> Edges:
    if not human:
        chosen = ~humans[later]
        later, earlier, similarity = later[chosen], earlier[chosen], similarity[chosen]
    columns = [
        nodes.places.take(pa.array(later)),
        nodes.places.take(pa.array(earlier)),
        similarity,
        np.full(len(later), equal),
    ]
    return Edges(nodes.scopes[later], pa.table(columns, schema=EDGES))
