"""Clusters: which documents are dropped as duplicates, and of which.

Documents with equal content are one; such classes are joined where their shingles overlap by the threshold. The keeper
of a class or a cluster is its smallest searchable id (the smallest id, if none is searchable).
"""

from collections.abc import Collection
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline.minhash.verification import Ints, components, jaccard

DECISIONS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("keeper", pa.string()),
        ("equal_to", pa.string()),
        ("reason", pa.string()),
        ("similarity", pa.float64()),
        ("members", pa.int64()),
    ]
)
"""A row per dropped document: the kept one of its cluster, the first document of equal content (perhaps itself),
`exact_duplicate` or `near_duplicate`, the Jaccard similarity with the keeper, and the documents in the cluster."""


def decide(nodes: pa.Table, candidates: pa.Table, judged: Collection[str], threshold: float) -> pa.Table:
    """Returns the documents to drop, as a DECISIONS table sorted by doc_id.

    `nodes` (NODES) holds the documents of `candidates` (BUCKETS, shared buckets). `judged` are ids that some pair
    names: a near-duplicate that is judged stays, and so does one that equals a judged document.
    """
    nodes = nodes.sort_by("doc_id").combine_chunks()
    ids = nodes.column("doc_id")
    hidden = ~np.asarray(nodes.column("searchable").to_numpy(zero_copy_only=False), dtype=bool)
    exact = _representatives(_codes(nodes, "scope", "content_hash"), hidden)
    clusters, shingles, starts = _clusters(nodes, candidates, exact, threshold)
    near = _representatives(clusters, hidden)
    stays = near == np.arange(len(near))
    judged_here = pc.is_in(ids, pa.array(sorted(judged), pa.string())).to_numpy(zero_copy_only=False)
    stays[exact[np.asarray(judged_here, dtype=bool)]] = True
    keeper = np.where(stays[exact], exact, near)
    dropped = np.flatnonzero(keeper != np.arange(len(keeper)))
    similarity = [
        1.0 if exact[one] == keeper[one] else jaccard(shingles, starts, int(one), int(keeper[one])) for one in dropped
    ]
    sizes = np.bincount(clusters, minlength=len(clusters))
    columns = [
        ids.take(pa.array(dropped)),
        ids.take(pa.array(keeper[dropped])),
        ids.take(pa.array(exact[dropped])),
        np.where(exact[dropped] != dropped, "exact_duplicate", "near_duplicate").tolist(),
        similarity,
        sizes[clusters[dropped]],
    ]
    return pa.table(columns, schema=DECISIONS)


def _codes(nodes: pa.Table, *columns: str) -> Ints:
    """Returns an integer per node, equal where all the columns are."""
    joined = pc.binary_join_element_wise(*(nodes.column(name).combine_chunks() for name in columns), "\n")
    return cast("Ints", joined.dictionary_encode().indices.to_numpy().astype(np.int64))


def _representatives(codes: Ints, hidden: npt.NDArray[np.bool_]) -> Ints:
    """Returns, for each node, the first node of its code: searchable ones first, then by id, which is by place."""
    places = np.arange(len(codes))
    order = np.lexsort((places, hidden, codes))
    ordered = codes[order]
    leads = np.flatnonzero(_starts_new(ordered))
    lengths = np.diff(np.append(leads, len(codes)))
    found = np.empty(len(codes), np.int64)
    found[order] = np.repeat(order[leads], lengths)
    return found


def _starts_new(ordered: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Says for each value whether it differs from the one before it."""
    differs = np.ones(len(ordered), dtype=bool)
    differs[1:] = ordered[1:] != ordered[:-1]
    return differs


def _clusters(
    nodes: pa.Table, candidates: pa.Table, exact: Ints, threshold: float
) -> tuple[Ints, npt.NDArray[np.uint32], Ints]:
    """Returns each node's cluster, and all shingles with the start of each node's."""
    lists = nodes.column("shingles").combine_chunks()
    flat = np.asarray(lists.flatten().to_numpy(), dtype=np.uint32)
    starts = np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy().astype(np.int64))])
    places = pc.index_in(candidates.column("doc_id"), nodes.column("doc_id").combine_chunks())
    members = exact[places.to_numpy().astype(np.int64)]
    groups = candidates.column("bucket").to_numpy()
    order = np.lexsort((members, groups))
    groups, members = groups[order], members[order]
    first_seen = _starts_new(groups) | _starts_new(members)
    groups, members = groups[first_seen], members[first_seen]
    bounds = np.append(np.flatnonzero(_starts_new(groups)), len(members))
    found = components(flat, starts, _codes(nodes, "scope"), members, bounds, threshold)
    return found[exact], flat, starts
