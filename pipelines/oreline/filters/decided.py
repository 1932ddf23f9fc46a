"""Decisions: what goes is found by range of texts or scopes, and brought to the range of the query that it is about."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from oreline.ids import bucket_of
from oreline.job import Job
from oreline.shuffle import Reference, Scatter

DECISIONS = "decisions"
"""The tag of decisions among a range's references."""

_QUERIES_OF_A_RANGE = 50_000


def query_ranges(job: Job) -> int:
    """Returns the number of ranges that a job's queries are cut into."""
    return 1 + sum(part.rows for part in job.parts("queries")) // _QUERIES_OF_A_RANGE


def to_queries(job: Job, decisions: pa.Table, query_ids: Iterable[str]) -> Iterator[Reference]:
    """Yields references to decisions, by range of the queries that they are about, one id each."""
    ranges = query_ranges(job)
    scatter = Scatter(job, DECISIONS)
    yield from scatter.write([bucket_of(query_id, ranges) for query_id in query_ids], decisions)
    yield from scatter.close()


def about(decisions: pa.Table | None, rows: Iterable[str], schema: pa.Schema) -> pa.Table:
    """Returns what decisions (`schema`, with a column `row`; None are none) say of some rows, sorted by row."""
    if decisions is None:
        return schema.empty_table()
    return decisions.filter(pc.is_in(decisions.column("row"), pa.array(list(rows), pa.string()))).sort_by("row")
