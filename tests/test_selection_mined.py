"""Pools as selection reads them: the rows that mine wrote, best first, made only when they are looked at."""

from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.records import Candidate, Hit, PoolEntry, Scored
from oreline.selection.mined import mined_rows
from oreline.tables.schema import to_arrow

names = st.sampled_from("abcdefgh")
hits = st.lists(st.builds(Hit, st.sampled_from(("dense", "bm25")), st.integers(1, 9), st.floats(-1, 1)), max_size=2)
entries = st.lists(
    st.builds(PoolEntry, names, st.sampled_from((-0.5, 0.0, 0.25, 0.5)), hits),
    max_size=6,
    unique_by=lambda each: each.doc_id,
)
scored = st.lists(st.builds(Scored, names, st.integers(1, 9), st.floats(-1, 1)), max_size=2)
rows = st.lists(st.builds(Candidate, names, scored, scored, entries), max_size=5)


@settings(max_examples=60, deadline=None)
@given(rows, st.sets(names))
def test_every_row_is_read_as_it_was_written_its_pool_best_first_whatever_its_order(
    written: list[Candidate], wanted: set[str]
) -> None:
    found = list(mined_rows(to_arrow(Candidate, written)))
    assert [each.query_id for each in found] == [each.query_id for each in written]
    for read, row in zip(found, written, strict=True):
        best_first = sorted(row.pool, key=lambda each: (-each.score, each.doc_id))
        assert (read.positives, read.known) == (row.positives, row.known)
        assert list(read.pool) == best_first == list(read.pool)
        assert list(read.pool.among(wanted)) == [each for each in best_first if each.doc_id in wanted]


def test_rows_of_a_slice_are_those_of_the_slice() -> None:
    written = [Candidate(name, [], [], [PoolEntry(name * 2, 0.5, [Hit("dense", 1, 0.5)])]) for name in "abc"]
    (row,) = mined_rows(to_arrow(Candidate, written).slice(1, 1))
    assert (row.query_id, list(row.pool)) == ("b", written[1].pool)
