"""Connected components: at once on one machine, or by rounds of stars over blocks of edges.

Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii, Connected components in MapReduce and beyond (2014): large-star
and small-star in turn leave the components as they are and end with every node joined to its component's smallest node.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from oreline.minhash.forms import Ints
from oreline.minhash.stars import distinct_edges

LABELS = pa.schema([("node", pa.int64()), ("label", pa.int64())])
"""A row per node that has an edge: the smallest node of its component."""


def labels_of(edges: pa.Table) -> pa.Table:
    """Returns the component of each node of an EDGES table, as a LABELS table sorted by node."""
    low, high = (edges.column(name).to_numpy() for name in ("low", "high"))
    nodes, places = np.unique(np.concatenate([low, high]), return_inverse=True)
    if not len(nodes):
        return LABELS.empty_table()
    ones, others = places[: len(low)], places[len(low) :]
    matrix = coo_array((np.ones(len(low), np.int8), (ones, others)), shape=(len(nodes), len(nodes)))
    count, found = connected_components(matrix, directed=False)
    smallest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(smallest, found, nodes)
    return pa.table([nodes, smallest[found]], schema=LABELS)


@dataclass(frozen=True)
class Starred:
    """Edges after half a round (an EDGES table), and how many nodes' edges changed."""

    edges: pa.Table
    changes: int


def large_star(nodes: Ints, neighbours: Ints) -> Starred:
    """Joins each node's larger neighbours to the smallest of its neighbours and itself.

    Row i says that neighbours[i] is a neighbour of nodes[i]; a node's rows are all here, in both directions of edges.
    """
    smallest, grouped, beside = _smallest(nodes, neighbours)
    larger = beside > grouped
    moved = larger & (smallest < grouped)
    return Starred(distinct_edges(beside[larger], smallest[larger]), len(np.unique(grouped[moved])))


def small_star(nodes: Ints, neighbours: Ints) -> Starred:
    """Joins each node and its smaller neighbours to the smallest of them.

    Row i says that neighbours[i], smaller than nodes[i], is its neighbour; all smaller ones of a node are here.
    """
    smallest, grouped, beside = _smallest(nodes, neighbours)
    moved = beside > smallest
    ones = np.concatenate([grouped, beside])
    return Starred(distinct_edges(ones, np.concatenate([smallest, smallest])), len(np.unique(grouped[moved])))


def labels_from_stars(edges: pa.Table) -> pa.Table:
    """Returns the LABELS of edges that are stars around smallest nodes; those nodes' own rows are left out."""
    return pa.table([edges.column("high"), edges.column("low")], schema=LABELS)


def _smallest(nodes: Ints, neighbours: Ints) -> tuple[Ints, Ints, Ints]:
    """Returns, sorted by node: the smallest of a node and its neighbours, the node, the neighbour."""
    if not len(nodes):
        empty = np.empty(0, np.int64)
        return empty, empty, empty
    order = np.argsort(nodes, kind="stable")
    nodes, neighbours = nodes[order], neighbours[order]
    starts = np.flatnonzero(np.append(True, nodes[1:] != nodes[:-1]))
    least = np.minimum(np.minimum.reduceat(neighbours, starts), nodes[starts])
    return np.repeat(least, np.diff(np.append(starts, len(nodes)))), nodes, neighbours
