"""Rows to Arrow and back: nested rows, nulls and slices come back as they went in."""

from oreline.records import Candidate, Hit, Lineage, PoolEntry, Query, Scored
from oreline.tables.schema import from_arrow, to_arrow

LINEAGE = Lineage(writer="retrieval/fret", doc_ids=["d/1", "d/2"])


def test_a_nested_row_and_a_missing_one_come_back() -> None:
    rows = [Query("d/0", "d", "a", "0"), Query("d/1", "d", "b", "1", lineage=LINEAGE), Query("d/2", "d", "c", "2")]
    table = to_arrow(Query, rows)
    assert from_arrow(Query, table) == rows
    assert from_arrow(Query, table.slice(1, 1)) == rows[1:2]
    assert from_arrow(Query, table.slice(3)) == []


def test_lists_of_nested_rows_come_back_from_any_slice() -> None:
    rows = [
        Candidate(
            f"d/{number}",
            [Scored("d/p", 1, 0.5)] * (number % 3),
            [],
            [PoolEntry(f"d/{place}", 0.25, [Hit("dense", place, 0.25)] * (place % 2)) for place in range(number)],
        )
        for number in range(6)
    ]
    table = to_arrow(Candidate, rows)
    for start in range(6):
        for stop in range(start, 7):
            assert from_arrow(Candidate, table.slice(start, stop - start)) == rows[start:stop]
