"""Star edges: what a bucket says of its members, in a number of edges that grows with the members and not their square.

All members of a bucket are joined to its first one. Where edges are then verified, a member may be unlike the first one
and like another, so the second and the third are centres too: `CENTRES` in all.
"""

import numpy as np
import pyarrow as pa

from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes

CENTRES = 3
"""Centres of a bucket whose edges are verified; buckets of up to four members are compared pair by pair."""

EDGES = pa.schema([("low", pa.int64()), ("high", pa.int64())])
"""Undirected edges between nodes, the smaller one first."""


def star_edges(buckets: Hashes, classes: Hashes, nodes: Ints, centres: int) -> pa.Table:
    """Returns the distinct star edges of buckets, as an EDGES table.

    Row i says that node i, of class `classes[i]`, is in bucket `buckets[i]`. Members are taken by class, so the edges
    are the same between classes whatever nodes stand for them; of a class in a bucket one node has edges.
    """
    shared = _may_be_shared(buckets)
    buckets, classes, nodes = buckets[shared], classes[shared], nodes[shared]
    order = np.lexsort((nodes, classes, buckets))
    buckets, classes, nodes = buckets[order], classes[order], nodes[order]
    new_bucket = _differs(buckets)
    first = new_bucket | _differs(classes)
    nodes, new_bucket = nodes[first], new_bucket[first]
    starts = np.flatnonzero(new_bucket)
    start_of = np.repeat(starts, np.diff(np.append(starts, len(nodes))))
    rank = np.arange(len(nodes)) - start_of
    ones, others = [], []
    for centre in range(centres):
        members = np.flatnonzero(rank > centre)
        ones.append(nodes[start_of[members] + centre])
        others.append(nodes[members])
    return distinct_edges(np.concatenate(ones), np.concatenate(others))


def distinct_edges(ones: Ints, others: Ints) -> pa.Table:
    """Returns the edges as an EDGES table sorted by both ends: each edge once, no loops."""
    low, high = np.minimum(ones, others), np.maximum(ones, others)
    order = np.lexsort((high, low))
    low, high = low[order], high[order]
    kept = (_differs(low) | _differs(high)) & (low != high)
    return pa.table([low[kept], high[kept]], schema=EDGES)


def _may_be_shared(buckets: Hashes) -> Ints:
    """Returns the rows whose bucket may have another one: most buckets have one member, and need not be sorted."""
    places = (buckets & np.uint64((2 << len(buckets).bit_length()) - 1)).astype(np.int64)
    return np.flatnonzero(np.bincount(places)[places] > 1)


def _differs(ordered: Hashes | Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Says for each value whether it differs from the one before it; the first one does."""
    differs = np.ones(len(ordered), dtype=bool)
    differs[1:] = ordered[1:] != ordered[:-1]
    return differs
