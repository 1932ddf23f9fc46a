"""Examples: triples with the texts that they point to, as every format needs them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from oreline.errors import BrokenTable
from oreline.job import Job
from oreline.records import Document, Query, Triple
from oreline.tables.reading import RowGroup
from oreline.tables.schema import from_arrow

BLOCK_TRIPLES = 8_192
"""Triples whose texts are in memory at once: some 40,000 documents with four negatives each."""


@dataclass(frozen=True)
class Example:
    """A triple with its texts; `positives` and `negatives` stand in the triple's own order."""

    triple: Triple
    query: Query
    positives: tuple[Document, ...]
    negatives: tuple[Document, ...]


class Tables(Protocol):
    """Where texts are looked up: a stage's job, or a finished output."""

    @property
    def output(self) -> str:
        """The output folder."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """The stage that each table is read from."""

    def lookup(self, table: str, column: str, wanted: Iterable[str], columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of a table whose `column` is among `wanted`."""


def examples(job: Job, reference: RowGroup) -> Iterator[list[Example]]:
    """Yields the triples of a row group with their texts, at most `BLOCK_TRIPLES` at a time.

    Raises BrokenTable if a triple points to a query or document that the tables do not hold.
    """
    rows = job.read(reference)
    for start in range(0, rows.num_rows, BLOCK_TRIPLES):
        yield with_texts(job, from_arrow(Triple, rows.slice(start, BLOCK_TRIPLES)))


def with_texts(tables: Tables, triples: Sequence[Triple]) -> list[Example]:
    """Returns triples with their texts; raises BrokenTable if one is missing."""
    wanted = {each.doc_id for triple in triples for each in triple.positives}
    wanted |= {each.doc_id for triple in triples for each in triple.negatives}
    queries = from_arrow(Query, tables.lookup("queries", "query_id", {triple.query_id for triple in triples}))
    documents = from_arrow(Document, tables.lookup("documents", "doc_id", wanted))
    query_of = {query.query_id: query for query in queries}
    document_of = {document.doc_id: document for document in documents}
    missing = sorted((wanted - document_of.keys()) | {t.query_id for t in triples if t.query_id not in query_of})
    if missing:
        raise BrokenTable(
            f"{tables.output}: triples of {tables.inputs['triples']} point to {len(missing)} texts that the tables do "
            f"not hold, the first is {missing[0]} (documents are of {tables.inputs['documents']}, queries of "
            f"{tables.inputs['queries']}); run the recipe again"
        )
    return [
        Example(
            triple,
            query_of[triple.query_id],
            tuple(document_of[each.doc_id] for each in triple.positives),
            tuple(document_of[each.doc_id] for each in triple.negatives),
        )
        for triple in triples
    ]
