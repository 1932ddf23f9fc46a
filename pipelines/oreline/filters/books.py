"""What the filter writes of a query: a kept row with its pairs, or a reject; and pairs withdrawn from a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oreline.filters import rates
from oreline.filters.judged import JudgedQuery
from oreline.job import StageWriter
from oreline.records import Query, Reject


@dataclass(frozen=True)
class Withdrawn:
    """A positive that a query loses: the document, the reject's reason and sentence, and what it is lost to."""

    doc_id: str
    reason: str
    detail: str
    by: str


def keep(writer: StageWriter, queries: Sequence[JudgedQuery]) -> None:
    """Writes queries that stay, with their pairs."""
    writer.rows("queries", [judged.query for judged in queries])
    writer.rows("pairs", [pair for judged in queries for pair in judged.pairs])
    writer.kept(judged.query.query_id for judged in queries)
    for judged in queries:
        rates.count(writer, judged.query, rates.KEPT)


def merge(writer: StageWriter, query: Query, keeper: str) -> None:
    """Tells that a query went into another, its pairs with it."""
    writer.merged(query.query_id, keeper)
    rates.count(writer, query, rates.MERGED)


def drop(writer: StageWriter, judged: JudgedQuery, reason: str, detail: str, by: str | None) -> None:
    """Tells that a query is dropped; its pairs go with it and are counted, as they are no units."""
    query = judged.query
    writer.dropped(query.query_id, Reject(query.query_id, "queries", reason, detail, by, query.query))
    rates.count(writer, query, reason)
    if judged.pairs:
        writer.count("dropped_pairs", len(judged.pairs))


def pass_over(writer: StageWriter, judged: JudgedQuery) -> None:
    """Tells that a query was not sampled, by a rule that can be recomputed; its pairs go with it."""
    writer.counted_over([judged.query.query_id])
    rates.count(writer, judged.query, rates.PASSED_OVER)
    if judged.pairs:
        writer.count("passed_over_pairs", len(judged.pairs))


def withdraw(
    writer: StageWriter, queries: Sequence[JudgedQuery], gone: Mapping[str, Sequence[Withdrawn]]
) -> list[JudgedQuery]:
    """Returns the queries that keep a positive once those in `gone` (by query) are withdrawn; drops the others.

    What a query that stays has lost becomes partial: it trains nothing, and can be no negative of that query either.
    """
    kept = []
    for judged in queries:
        lost = {each.doc_id: each for each in gone.get(judged.query.query_id, ())}
        if not lost:
            kept.append(judged)
        elif lost.keys() >= set(judged.positives):
            first = lost[min(lost)]
            drop(writer, judged, first.reason, f"{first.doc_id}: {first.detail}", first.by)
        else:
            kept.append(_without(writer, judged, lost))
    return kept


def _without(writer: StageWriter, judged: JudgedQuery, lost: Mapping[str, Withdrawn]) -> JudgedQuery:
    query = judged.query
    for doc_id, each in sorted(lost.items()):
        detail = f"{doc_id}: {each.detail}"
        writer.reject(Reject(query.query_id, "pairs", each.reason, detail, each.by, query.query))
    writer.count("withdrawn_pairs", len(lost))
    pairs = (
        replace(pair, label="partial") if pair.label == "positive" and pair.doc_id in lost else pair
        for pair in judged.pairs
    )
    return replace(judged, pairs=tuple(pairs))
