"""Rewriting documents and pairs by the decisions: who is dropped with which reject, and where pairs move."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import StageWriter
from oreline.minhash.comparing import similarities
from oreline.minhash.groups import Group, row_of
from oreline.minhash.parameters import Parameters
from oreline.minhash.remembered import remembered
from oreline.records import Reject


def with_similarities(
    decisions: pa.Table, asked: pa.Table | None, group: Group, parameters: Parameters, *, estimating: bool
) -> pa.Table:
    """Returns the DECISIONS about a group with all similarities: `asked` (HALVES) leads from keepers to the group."""
    if asked is None:
        return decisions
    nodes = decisions.column("node").to_numpy()
    order = np.argsort(nodes)
    places = order[np.searchsorted(nodes, asked.column("there").to_numpy(), sorter=order)]
    found = decisions.column("similarity").to_numpy(zero_copy_only=False).copy()
    found[places] = similarities(asked, group, parameters, estimating=estimating)
    column = pa.array(found, mask=np.isnan(found))
    return decisions.set_column(decisions.schema.get_field_index("similarity"), "similarity", column)


Screening = Callable[[pa.Table, StageWriter], set[str]]
"""What looks at the documents that no duplicate dropped: it tells the fate of those it drops and returns their ids."""


def rewrite_documents(
    documents: pa.Table,
    decisions: pa.Table,
    parameters: Parameters,
    writer: StageWriter,
    *,
    sketches: pa.Table | None,
    estimated: bool,
    screening: Screening | None = None,
) -> set[str]:
    """Writes a group of documents without the dropped ones, tells every document's fate, and remembers all.

    `decisions` are those about this group, `sketches` its SKETCHES if it is to be remembered; `estimated` says that
    similarities to known documents are estimates. Returns the ids that `screening` dropped.
    """
    rows = row_of(decisions.column("node").to_numpy())
    dropped = np.asarray(decisions.column("keeper").is_valid().to_numpy(zero_copy_only=False), np.bool_)
    staying = np.ones(documents.num_rows, np.bool_)
    staying[rows[dropped]] = False
    kept = documents.filter(pa.array(staying))
    screened = screening(kept, writer) if screening is not None else set()
    if screened:
        kept = kept.filter(pc.invert(pc.is_in(kept.column("doc_id"), pa.array(sorted(screened), pa.string()))))
    writer.arrow("documents", kept)
    writer.kept(cast("list[str]", kept.column("doc_id").to_pylist()))
    gone = pa.array(rows[dropped])
    told = documents.select(["doc_id", "title", "text"]).take(gone).to_pylist()
    for document, verdict in zip(told, decisions.filter(pa.array(dropped)).to_pylist(), strict=True):
        reject = Reject(
            row_id=document["doc_id"],
            table="documents",
            reason=verdict["reason"],
            detail=_detail(verdict, parameters, estimated=estimated),
            by=verdict["keeper"],
            payload="\n".join(part for part in (document["title"], document["text"]) if part),
        )
        writer.dropped(document["doc_id"], reject)
    if sketches is not None:
        _remember(documents, decisions, sketches, writer)
    return screened


def moved_pairs(pairs: pa.Table, moves: pa.Table) -> pa.Table:
    """Returns a block of pairs with the kept document in place of each that was dropped as equal to it (MOVES)."""
    places = pc.index_in(pairs.column("doc_id"), moves.column("doc_id").combine_chunks())
    moved = pc.coalesce(moves.column("keeper").take(places), pairs.column("doc_id"))
    return pairs.set_column(pairs.schema.get_field_index("doc_id"), pairs.schema.field("doc_id"), moved)


def _remember(documents: pa.Table, decisions: pa.Table, sketches: pa.Table, writer: StageWriter) -> None:
    places = np.full(documents.num_rows, -1)
    places[row_of(decisions.column("node").to_numpy())] = np.arange(decisions.num_rows)
    at = pa.array(places, mask=places < 0)
    clusters, keepers = (decisions.column(name).combine_chunks().take(at) for name in ("cluster", "keeper"))
    nodes = sketches.column("node").to_numpy()
    if np.any(nodes[1:] < nodes[:-1]):  # blocks come in any order
        sketches = sketches.take(pa.array(np.argsort(nodes)))
    writer.arrow("signatures", remembered(documents, clusters, keepers, sketches))


def _detail(verdict: dict[str, object], parameters: Parameters, *, estimated: bool) -> str:
    keeper = verdict["keeper"]
    known = " of dedup.against" if verdict["known"] else ""
    how = f"estimated from {parameters.permutations} signature values" if known and estimated else ""
    overlap = (
        f"Jaccard similarity {verdict['similarity']:.3f} of {parameters.unit} {parameters.ngram}-grams with "
        f"{keeper}{known}{f' ({how})' if how else ''}"
    )
    # A cluster is named by its smallest id, which most often is the keeper.
    name = "" if verdict["cluster"] == keeper else f" {verdict['cluster']}"
    cluster = f"cluster{name} of {verdict['members']:,} documents kept as {keeper}"
    if verdict["reason"] == "near_duplicate":
        return f"{overlap}; {cluster}"
    equal = f"title and text equal those of {verdict['equal_to']} after normalisation"
    return f"{equal}; {cluster}" if verdict["equal_to"] == keeper else f"{equal}; {overlap}; {cluster}"
