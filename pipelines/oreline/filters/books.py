"""What the filter writes of a query: a kept row with its pairs, or a reject."""

from collections.abc import Sequence

from oreline.filters.judged import JudgedQuery
from oreline.job import StageWriter
from oreline.records import Reject


def keep(writer: StageWriter, queries: Sequence[JudgedQuery]) -> None:
    """Writes queries that stay, with their pairs."""
    writer.rows("queries", [judged.query for judged in queries])
    writer.rows("pairs", [pair for judged in queries for pair in judged.pairs])
    writer.kept(judged.query.query_id for judged in queries)


def drop(writer: StageWriter, judged: JudgedQuery, reason: str, detail: str, by: str | None) -> None:
    """Tells that a query is dropped; its pairs go with it and are counted, as they are no units."""
    query = judged.query
    writer.dropped(query.query_id, Reject(query.query_id, "queries", reason, detail, by, query.query))
    if judged.pairs:
        writer.count("dropped_pairs", len(judged.pairs))
