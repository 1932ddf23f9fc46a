"""From rows of documents and queries to rendered texts with their keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from oreline.embeddings.store import vector_key
from oreline.encoders.prefixes import Prefixes
from oreline.encoders.rendering import document_input, plain_document, query_input
from oreline.records import Side, TaskType

DOCUMENT_COLUMNS = ("doc_id", "title", "text")
QUERY_COLUMNS = ("query_id", "query", "task_type", "instruction")
TEXT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("blank", pa.bool_(), nullable=False),
    ]
)
"""A text on its way to the encoder: `text` is rendered, null once the store has its vector; `blank` has no words."""


@dataclass(frozen=True)
class Text:
    """One rendered text."""

    id: str
    side: Side
    key: str
    text: str
    blank: bool


def rendered(table: str, rows: pa.Table, prefixes: Prefixes, identity: str) -> pa.Table:
    """Returns documents or queries, by the table's name, as texts with `TEXT_SCHEMA`."""
    texts = list(_documents(rows, prefixes, identity) if table == "documents" else _queries(rows, prefixes, identity))
    names = TEXT_SCHEMA.names
    return pa.table({name: [getattr(text, name) for text in texts] for name in names}, schema=TEXT_SCHEMA)


def _documents(rows: pa.Table, prefixes: Prefixes, identity: str) -> Iterator[Text]:
    columns = (cast("list[str]", rows.column(name).to_pylist()) for name in DOCUMENT_COLUMNS)
    for doc_id, title, text in zip(*columns, strict=True):
        string = document_input(prefixes, doc_id, title, text)
        yield Text(doc_id, "document", vector_key(identity, string), string, not plain_document(title, text).strip())


def _queries(rows: pa.Table, prefixes: Prefixes, identity: str) -> Iterator[Text]:
    columns = (cast("list[str]", rows.column(name).to_pylist()) for name in QUERY_COLUMNS)
    for query_id, query, task_type, instruction in zip(*columns, strict=True):
        string = query_input(prefixes, query_id, query, cast("TaskType", task_type), instruction)
        yield Text(query_id, "query", vector_key(identity, string), string, not query.strip())
