"""Rewriting documents and pairs by the decisions: who is dropped with which reject, and where pairs move."""

from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import StageWriter
from oreline.records import Reject


def rewrite_documents(documents: pa.Table, decisions: pa.Table, ngram: int, writer: StageWriter) -> None:
    """Writes a block of documents without the dropped ones, and tells every document's fate.

    `decisions` holds those about this block; `ngram` is stated in the rejects.
    """
    dropped = pc.is_in(documents.column("doc_id"), decisions.column("doc_id").combine_chunks())
    kept = documents.filter(pc.invert(dropped))
    writer.arrow("documents", kept)
    writer.kept(cast("list[str]", kept.column("doc_id").to_pylist()))
    verdicts = {row["doc_id"]: row for row in decisions.to_pylist()}
    columns = ["doc_id", "title", "text"]
    for document in documents.select(columns).filter(dropped).to_pylist():
        verdict = verdicts[document["doc_id"]]
        payload = "\n".join(part for part in (document["title"], document["text"]) if part)
        reject = Reject(
            row_id=document["doc_id"],
            table="documents",
            reason=verdict["reason"],
            detail=_detail(verdict, ngram),
            by=verdict["keeper"],
            payload=payload,
        )
        writer.dropped(document["doc_id"], reject)


def _detail(verdict: dict[str, object], ngram: int) -> str:
    keeper = verdict["keeper"]
    overlap = f"Jaccard similarity {verdict['similarity']:.3f} of word {ngram}-grams with {keeper}"
    cluster = f"cluster of {verdict['members']:,} documents kept as {keeper}"
    if verdict["reason"] == "near_duplicate":
        return f"{overlap}; {cluster}"
    equal = f"title and text equal those of {verdict['equal_to']} after normalisation"
    return f"{equal}; {cluster}" if verdict["equal_to"] == keeper else f"{equal}; {overlap}; {cluster}"


def moved_pairs(pairs: pa.Table, decisions: pa.Table) -> pa.Table:
    """Returns a block of pairs with the keeper in place of each document that equals it."""
    exact = decisions.filter(pc.equal(decisions.column("equal_to"), decisions.column("keeper")))
    places = pc.index_in(pairs.column("doc_id"), exact.column("doc_id").combine_chunks())
    keepers = exact.column("keeper").take(places)
    moved = pc.coalesce(keepers, pairs.column("doc_id"))
    return pairs.set_column(pairs.schema.get_field_index("doc_id"), pairs.schema.field("doc_id"), moved)
