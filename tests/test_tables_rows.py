"""Rows to Arrow and back: nested rows, nulls and slices come back as they went in."""

import dataclasses
import io

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from oreline.llm.requests import Answer, Answered, Request, TokenLogprob
from oreline.llm.rows import AnsweredRow
from oreline.records import Candidate, Hit, Lineage, PoolEntry, Query, Scored
from oreline.tables.schema import from_arrow, row_schema, to_arrow

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


TEXTS = st.text(max_size=4)
LOGPROBS = st.none() | st.lists(st.builds(TokenLogprob, TEXTS, st.floats(-9, 0)), max_size=3)
ANSWERS = st.none() | st.builds(
    Answer, TEXTS, st.integers(0, 3), st.just("ok"), TEXTS, reason=st.none() | TEXTS, logprobs=LOGPROBS
)
REQUESTS = st.builds(
    Request, TEXTS, TEXTS, st.integers(0, 9), TEXTS, st.none() | TEXTS, TEXTS, TEXTS, TEXTS, st.integers(0, 9),
    st.lists(TEXTS, max_size=3), TEXTS,
)  # fmt: skip
ROWS = st.lists(
    st.builds(AnsweredRow, TEXTS, st.integers(0, 9), st.builds(Answered, REQUESTS, ANSWERS, st.none() | TEXTS)),
    max_size=5,
)


@given(ROWS)
def test_nested_rows_make_the_table_that_dictionaries_make(rows: list[AnsweredRow]) -> None:
    table = to_arrow(AnsweredRow, rows)
    expected = pa.Table.from_pylist([dataclasses.asdict(row) for row in rows], row_schema(AnsweredRow))
    assert table.equals(expected)
    table.validate(full=True)
    assert from_arrow(AnsweredRow, table) == rows
    file = io.BytesIO()
    pq.write_table(table, file)
    assert pq.read_table(file).equals(expected)
