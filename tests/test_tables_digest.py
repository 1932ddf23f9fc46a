"""A table's digest depends on what it holds, and on nothing else."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.records import Candidate, Hit, Lineage, PoolEntry, Query, Scored
from oreline.tables.digest import MODULUS, table_digest
from oreline.tables.schema import from_arrow, row_schema, to_arrow

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
lineages = st.none() | st.builds(
    Lineage, writer=text, doc_ids=st.lists(text, max_size=3), place=st.none() | st.integers(0, 9)
)
queries = st.builds(
    Query, query_id=text, dataset=text, query=text, query_hash=text, instruction=st.none() | text, lineage=lineages
)
scores = st.floats(-1, 1)
candidates = st.builds(
    Candidate,
    query_id=text,
    positives=st.lists(st.builds(Scored, doc_id=text, rank=st.integers(1, 9), score=scores), max_size=2),
    known=st.just([]),
    pool=st.lists(
        st.builds(
            PoolEntry,
            doc_id=text,
            score=scores,
            hits=st.lists(st.builds(Hit, miner=text, rank=st.integers(1, 9), score=scores), max_size=2),
        ),
        max_size=3,
    ),
)


@given(st.lists(queries, max_size=6), st.data())
def test_order_and_blocks_do_not_change_the_digest(rows: list[Query], data: st.DataObject) -> None:
    whole = to_arrow(Query, rows)
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    blocks = [to_arrow(Query, shuffled[:cut]), to_arrow(Query, shuffled[cut:])]
    assert table_digest(whole) == sum(table_digest(block) for block in blocks) % MODULUS


@given(st.lists(candidates, min_size=1, max_size=4))
def test_a_slice_of_a_table_has_the_digest_of_its_rows(rows: list[Candidate]) -> None:
    whole = to_arrow(Candidate, rows)
    for place, row in enumerate(rows):
        assert table_digest(whole.slice(place, 1)) == table_digest(to_arrow(Candidate, [row]))


@given(queries, queries)
def test_rows_that_differ_have_other_digests(first: Query, second: Query) -> None:
    equal = table_digest(to_arrow(Query, [first])) == table_digest(to_arrow(Query, [second]))
    assert equal == (first == second)


@given(st.lists(candidates, max_size=4))
def test_rows_survive_the_way_to_arrow_and_back(rows: list[Candidate]) -> None:
    assert from_arrow(Candidate, to_arrow(Candidate, rows)) == rows


def test_moving_a_border_between_two_strings_changes_the_digest() -> None:
    schema = pa.schema([("first", pa.string()), ("second", pa.string())])
    one = pa.table([["ab"], ["c"]], schema=schema)
    other = pa.table([["a"], ["bc"]], schema=schema)
    assert table_digest(one) != table_digest(other)


def test_null_and_empty_text_have_other_digests() -> None:
    schema = pa.schema([("text", pa.string())])
    assert table_digest(pa.table([[None]], schema=schema)) != table_digest(pa.table([[""]], schema=schema))


def test_a_row_that_lacks_a_required_value_is_refused() -> None:
    schema = row_schema(Query)
    assert not schema.field("query").nullable
    assert schema.field("instruction").nullable
    with pytest.raises(TypeError):
        Query(query_id="d/1", dataset="d", query="x")
