"""Rows: what an extractive writer makes of a document, as queries, pairs and derived documents."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from oreline import ids
from oreline.chunking.tokens import estimate_tokens
from oreline.extractive.docstring import described
from oreline.extractive.inverse_cloze import cloze
from oreline.extractive.keyphrase import keyphrase_query
from oreline.extractive.title import body_without_title, title_query
from oreline.normalise import content_hash, query_hash, text_hash
from oreline.records import Document, Lineage, Pair, Query


@dataclass(frozen=True)
class Extracted:
    """A query with its positive: the document itself, or one derived from it without the words of the query."""

    query: Query
    pair: Pair
    derived: Document | None


def extract(writer: str, document: Document, seed: int) -> Extracted | None:
    """Returns what the extractive writer of that name makes of a document, None if nothing; raises KeyError."""
    return EXTRACTORS[writer](document, seed)


def _title(document: Document, seed: int) -> Extracted | None:
    del seed  # nothing is drawn
    query = title_query(document.title)
    body = body_without_title(document.title or "", document.text) if query else None
    if query is None or body is None:
        return None
    derived = _derive(document, "title", title=None, text=body)
    return _row("extractive/title", document, query, {}, derived)


def _inverse_cloze(document: Document, seed: int) -> Extracted | None:
    taken = cloze(document.doc_id, document.title, document.text, seed)
    if taken is None:
        return None
    derived = _derive(document, "inverse_cloze", title=document.title, text=taken.rest)
    return _row("extractive/inverse_cloze", document, taken.sentence, {"seed": seed}, derived)


def _keyphrase(document: Document, seed: int) -> Extracted | None:
    del seed  # nothing is drawn
    query = keyphrase_query(document.title, document.text)
    return None if query is None else _row("extractive/keyphrase", document, query, {}, None)


def _docstring(document: Document, seed: int) -> Extracted | None:
    del seed  # nothing is drawn
    found = described(document)
    if found is None:
        return None
    query, code = found
    derived = _derive(document, "docstring", title=document.title, text=code)
    return _row("extractive/docstring", document, query, {}, derived)


EXTRACTORS: dict[str, Callable[[Document, int], Extracted | None]] = {
    "extractive/title": _title,
    "extractive/inverse_cloze": _inverse_cloze,
    "extractive/keyphrase": _keyphrase,
    "extractive/docstring": _docstring,
}
"""The extractive writers by name."""


def derived_id(doc_id: str, writer: str) -> str:
    """Returns the id of the document that a writer derives: `<original>#<writer>`; chunks have `#<number>`."""
    return f"{doc_id}#{writer}"


def _derive(document: Document, writer: str, title: str | None, text: str) -> Document:
    # The group stays: a translation of the original is as equivalent to what was derived from it.
    return replace(
        document,
        doc_id=derived_id(document.doc_id, writer),
        title=title,
        text=text,
        content_hash=content_hash(title, text, document.content),
        text_hash=text_hash(text, document.content),
        parent_id=document.doc_id,
        position=None,
        origin="generated",
        searchable=False,
        tokens=estimate_tokens(text),
        metadata=None,
    )


def _row(
    writer: str, document: Document, text: str, settings: dict[str, ids.Json], derived: Document | None
) -> Extracted:
    query_id = ids.written_query_id(document.dataset, [writer, None, [document.doc_id], settings, 0, 0])
    query = Query(
        query_id=query_id,
        dataset=document.dataset,
        query=text,
        query_hash=query_hash(text),
        task_type="code_retrieval" if document.content == "code" else "retrieval",
        lang=document.lang,
        origin="extractive",
        lineage=Lineage(writer=writer, doc_ids=[document.doc_id], attempt=0, place=0),
    )
    if derived is None:
        return Extracted(query, Pair(query_id, document.doc_id, "positive", "seed"), None)
    return Extracted(query, Pair(query_id, derived.doc_id, "positive", "generated"), derived)
