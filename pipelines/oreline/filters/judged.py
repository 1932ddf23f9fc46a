"""A query with its pairs, the unit that the filter's steps hand on, and the order in which queries stay."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from oreline.records import Pair, Query
from oreline.tables.schema import from_arrow, to_arrow

_ORIGIN_ORDER = ("human", "synthetic", "extractive")


@dataclass(frozen=True)
class JudgedQuery:
    """A query with all its pairs."""

    query: Query
    pairs: tuple[Pair, ...]

    @property
    def positives(self) -> tuple[str, ...]:
        """Ids of the positive documents, sorted."""
        return tuple(sorted(pair.doc_id for pair in self.pairs if pair.label == "positive"))


@dataclass(frozen=True)
class Thinned:
    """What a step leaves of a block: queries that stay, and pairs that move to queries of any block."""

    kept: list[JudgedQuery]
    moved: list[Pair] = field(default_factory=list)


def stays_first(query: Query) -> tuple[int, str]:
    """Returns what queries are ordered by when only one may stay: human, synthetic, extractive; then the id."""
    return _ORIGIN_ORDER.index(query.origin), query.query_id


def join(queries: pa.Table, pairs: pa.Table) -> list[JudgedQuery]:
    """Returns the rows of a table of queries, each with those of a table of pairs, sorted by id."""
    by_query: dict[str, list[Pair]] = {}
    for pair in from_arrow(Pair, pairs):
        by_query.setdefault(pair.query_id, []).append(pair)
    rows = sorted(from_arrow(Query, queries), key=lambda query: query.query_id)
    return [JudgedQuery(query, tuple(by_query.get(query.query_id, ()))) for query in rows]


def split(judged: Sequence[JudgedQuery]) -> tuple[pa.Table, pa.Table]:
    """Returns queries and pairs as the two tables they came from."""
    return to_arrow(Query, [each.query for each in judged]), to_arrow(Pair, list(pairs_of(judged)))


def pairs_of(judged: Iterable[JudgedQuery]) -> Iterable[Pair]:
    """Yields all pairs."""
    return (pair for each in judged for pair in each.pairs)
