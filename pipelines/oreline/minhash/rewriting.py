"""Rewriting documents and pairs by the decisions: who is dropped with which reject, and where pairs move."""

from collections.abc import Iterable
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import StageWriter
from oreline.minhash.comparing import Side
from oreline.minhash.groups import row_of
from oreline.minhash.parameters import Parameters
from oreline.minhash.remembered import remembered
from oreline.records import Reject


def with_similarities(decisions: pa.Table, asked: Iterable[pa.Table], side: Side) -> pa.Table:
    """Returns the DECISIONS about a group with all similarities, and with a column `estimated` that says of which.

    `asked` (HALVES) leads from the documents that the dropped ones are like to the group.
    """
    nodes = decisions.column("node").to_numpy()
    order = np.argsort(nodes)
    found = decisions.column("similarity").to_numpy(zero_copy_only=False).copy()
    estimated = np.zeros(len(found), np.bool_)
    for block in asked:
        places = order[np.searchsorted(nodes, block.column("there").to_numpy(), sorter=order)]
        found[places] = side.similarities(block)
        estimated[places] = pc.invert(block.column("exact")).to_numpy()
    column = pa.array(found, mask=np.isnan(found))
    told = decisions.set_column(decisions.schema.get_field_index("similarity"), "similarity", column)
    return told.append_column("estimated", pa.array(estimated))


def rewrite_documents(
    documents: pa.Table,
    decisions: pa.Table,
    parameters: Parameters,
    writer: StageWriter,
    *,
    sketches: pa.Table | None,
    screened: pa.Table,
) -> None:
    """Writes a group of documents without the dropped ones, tells their fates, and remembers all that have a sketch.

    `decisions` are those about this group, with their similarities, `sketches` its SKETCHES if it is to be remembered,
    `screened` (NODES) what was dropped and told before.
    """
    rows = row_of(decisions.column("node").to_numpy())
    dropped = np.asarray(decisions.column("keeper").is_valid().to_numpy(zero_copy_only=False), np.bool_)
    staying = np.ones(documents.num_rows, np.bool_)
    staying[rows[dropped]] = False
    staying[row_of(screened.column("node").to_numpy())] = False
    kept = documents.filter(pa.array(staying))
    writer.arrow("documents", kept)
    writer.kept(cast("list[str]", kept.column("doc_id").to_pylist()))
    gone = pa.array(rows[dropped])
    told = documents.select(["doc_id", "title", "text"]).take(gone).to_pylist()
    for document, verdict in zip(told, decisions.filter(pa.array(dropped)).to_pylist(), strict=True):
        reject = Reject(
            row_id=document["doc_id"],
            table="documents",
            reason=verdict["reason"],
            detail=_detail(verdict, parameters),
            by=verdict["keeper"],
            payload="\n".join(part for part in (document["title"], document["text"]) if part),
        )
        writer.dropped(document["doc_id"], reject)
    if sketches is not None:
        _remember(documents, decisions, sketches, writer)


def moved_pairs(pairs: pa.Table, moves: pa.Table) -> pa.Table:
    """Returns a block of pairs with the kept document in place of each that was dropped as equal to it (MOVES)."""
    places = pc.index_in(pairs.column("doc_id"), moves.column("doc_id").combine_chunks())
    moved = pc.coalesce(moves.column("keeper").take(places), pairs.column("doc_id"))
    return pairs.set_column(pairs.schema.get_field_index("doc_id"), pairs.schema.field("doc_id"), moved)


def _remember(documents: pa.Table, decisions: pa.Table, sketches: pa.Table, writer: StageWriter) -> None:
    places = np.full(documents.num_rows, -1)
    places[row_of(decisions.column("node").to_numpy())] = np.arange(decisions.num_rows)
    nodes = sketches.column("node").to_numpy()
    if np.any(nodes[1:] < nodes[:-1]):  # blocks come in any order
        sketches = sketches.take(pa.array(np.argsort(nodes)))
    rows = row_of(np.sort(nodes))
    if len(rows) < documents.num_rows:
        documents, places = documents.take(pa.array(rows)), places[rows]
    at = pa.array(places, mask=places < 0)
    clusters, keepers = (decisions.column(name).combine_chunks().take(at) for name in ("cluster", "keeper"))
    writer.arrow("signatures", remembered(documents, clusters, keepers, sketches))


def _detail(verdict: dict[str, object], parameters: Parameters) -> str:
    keeper, like, equal_to = verdict["keeper"], verdict["like"], verdict["equal_to"]
    # Whom a known document had gone for, nothing was compared with.
    known = f" of dedup.against{'' if like == keeper else f', which had gone for {keeper}'}" if verdict["known"] else ""
    how = f" (estimated from {parameters.permutations} signature values)" if verdict["estimated"] else ""
    overlap = (
        f"Jaccard similarity {verdict['similarity']:.3f} of {parameters.unit} {parameters.ngram}-grams with "
        f"{like}{known}{how}"
    )
    # A cluster is named by its smallest id, which most often is the keeper.
    name = "" if verdict["cluster"] == keeper else f" {verdict['cluster']}"
    cluster = f"cluster{name} of {verdict['members']:,} documents kept as {keeper}"
    if verdict["reason"] == "near_duplicate":
        return f"{overlap}; {cluster}"
    equal = f"title and text equal those of {equal_to}"
    if equal_to == like:
        return f"{equal}{known} after normalisation; {cluster}"
    return f"{equal} after normalisation; {overlap}; {cluster}"
