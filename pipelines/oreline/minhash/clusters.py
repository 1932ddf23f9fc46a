"""Clusters: which documents are dropped as duplicates, of which, and by what rule that one stays.

Documents of equal content are one class; classes that edges join are one cluster. A known document (`dedup.against`) is
kept already, so new ones of its cluster are dropped. Otherwise the first one stays: searchable before not, then the
longest or the best scored if the recipe says so, then the smallest id.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline.minhash.forms import Ints

MEMBERS = pa.schema(
    [
        ("node", pa.int64()),
        ("label", pa.int64()),
        ("class", pa.int64()),
        ("doc_id", pa.string()),
        ("known", pa.bool_()),
        ("known_keeper", pa.string()),
        ("searchable", pa.bool_()),
        ("judged", pa.bool_()),
        ("weight", pa.float64()),
    ]
)
"""A row per document with an edge: its cluster's and its class's label, and what decides who stays.

`known_keeper` is the document that a known one was dropped for; `judged` says that some pair names the document;
`weight` is what `dedup.keep` prefers more of.
"""

DECISIONS = pa.schema(
    [
        ("node", pa.int64()),
        ("cluster", pa.string()),
        ("members", pa.int64()),
        ("keeper", pa.string()),
        ("keeper_node", pa.int64()),
        ("like", pa.string()),
        ("equal_to", pa.string()),
        ("reason", pa.string()),
        ("similarity", pa.float64()),
        ("known", pa.bool_()),
    ]
)
"""A row per new document in a cluster: the smallest id in the cluster and how many documents it has.

Of a dropped one also: the kept document, the node and id of the one that it is like (another one, if that is a known
one which had gone for the keeper), the first document of equal content (perhaps itself), `exact_duplicate` or
`near_duplicate`, the similarity with the one that it is like (null: still to be computed), and whether that is known.
"""

MOVES = pa.schema([("doc_id", pa.string()), ("keeper", pa.string())])
"""A row per judged document that was dropped for one of equal content: pairs move to that."""


@dataclass(frozen=True)
class Decided:
    """DECISIONS and MOVES about whole clusters."""

    decisions: pa.Table
    moves: pa.Table


def decide(members: pa.Table) -> Decided:
    """Returns who is dropped; `members` (MEMBERS) holds whole clusters, in any order.

    A near-duplicate that is judged stays, and so does the first of the documents that equal a judged one: its pairs
    would lose their text.
    """
    members = _ordered(members)
    known, judged = (members.column(name).to_numpy(zero_copy_only=False) for name in ("known", "judged"))
    labels, classes = (members.column(name).to_numpy() for name in ("label", "class"))
    places = np.arange(len(labels))
    first_known, best = _first_of(classes, known), _first_of(labels, known)
    exact = _first_of(classes, ~known)
    near = np.where(best >= 0, best, _first_of(labels, ~known))
    stays = near == places
    stays[exact[np.asarray(judged & ~known, np.bool_)]] = True
    equals_known = (first_known >= 0) & ~stays[exact]
    # Whoever equals a known document that was kept is dropped for it, even if another one comes first in the cluster.
    kept = members.column("known_keeper").is_null().to_numpy(zero_copy_only=False)
    near = np.where(equals_known & kept[first_known], first_known, near)
    keeper = np.where(stays[exact], exact, near)
    new = np.flatnonzero(~known)
    return Decided(
        _decisions(members, new, keeper, np.where(equals_known, first_known, exact)),
        _moves(members, places, keeper, exact, np.asarray(judged & ~known, np.bool_)),
    )


def _decisions(members: pa.Table, new: Ints, keepers: Ints, equals: Ints) -> pa.Table:
    ids, nodes = members.column("doc_id").combine_chunks(), members.column("node").to_numpy()
    labels, classes = (members.column(name).to_numpy() for name in ("label", "class"))
    known = np.asarray(members.column("known").to_numpy(zero_copy_only=False), np.bool_)
    _, cluster, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    by_id = np.asarray(pc.sort_indices(ids).to_numpy(), np.int64)
    smallest = by_id[np.unique(cluster[by_id], return_index=True)[1]]
    keeper, equal = keepers[new], equals[new]
    dropped = keeper != new
    names = pc.coalesce(members.column("known_keeper").combine_chunks(), ids)
    reasons = np.where(equal != new, "exact_duplicate", "near_duplicate")
    columns = [
        pa.array(nodes[new]),
        ids.take(pa.array(smallest[cluster[new]])),
        pa.array(sizes[cluster[new]]),
        _where(dropped, names.take(pa.array(keeper))),
        pa.array(nodes[keeper], mask=~dropped),
        _where(dropped, ids.take(pa.array(keeper))),
        _where(dropped, ids.take(pa.array(equal))),
        _where(dropped, pa.array(reasons.tolist(), pa.string())),
        pa.array(np.ones(len(new)), mask=~(dropped & (classes[keeper] == classes[new]))),
        pa.array(known[keeper]),
    ]
    return pa.table(columns, schema=DECISIONS)


def _moves(members: pa.Table, places: Ints, keeper: Ints, exact: Ints, judged: npt.NDArray[np.bool_]) -> pa.Table:
    ids = members.column("doc_id").combine_chunks()
    moved = np.flatnonzero(judged & (keeper != places) & (keeper == exact))
    return pa.table([ids.take(pa.array(moved)), ids.take(pa.array(keeper[moved]))], schema=MOVES)


def _ordered(members: pa.Table) -> pa.Table:
    """Returns the members as they stay: the first of a cluster is its keeper."""
    kept = pc.is_null(members.column("known_keeper"))
    order = [
        ("kept", "descending"),
        ("searchable", "descending"),
        ("weight", "descending"),
        ("doc_id", "ascending"),
        ("node", "ascending"),
    ]
    return members.append_column("kept", kept).sort_by(order).drop_columns("kept")


def _first_of(labels: Ints, chosen: npt.NDArray[np.bool_]) -> Ints:
    """Returns for each member the first chosen one of its label, -1 where there is none."""
    rows = np.flatnonzero(chosen)
    present, first = np.unique(labels[rows], return_index=True)
    found = np.full(len(labels), -1)
    if len(present):
        at = np.minimum(np.searchsorted(present, labels), len(present) - 1)
        found = np.where(present[at] == labels, rows[first[at]], -1)
    return np.asarray(found, np.int64)


def _where(chosen: npt.NDArray[np.bool_], values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(chosen), values, pa.scalar(None, pa.string()))
