"""Mining in sets of few classes, where a large part of all pairs is left out: shards are cut, and nothing changes."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from oreline.search.corpus import Corpus, ShardReference, cuts
from oreline.search.tags import TAG, TagIndex, tag

LABELS = st.lists(st.lists(st.sampled_from("abc"), max_size=3), max_size=12)


def tags_of(rows: list[list[str]]) -> pa.Array:
    return pa.array([[tag("group", each) for each in row] for row in rows], pa.list_(TAG))


@given(LABELS, LABELS, st.integers(0, 5), st.integers(0, 5))
def test_the_pairs_of_a_part_are_those_that_were_counted(
    queries: list[list[str]], documents: list[list[str]], start: int, length: int
) -> None:
    index = TagIndex([{tag("group", each) for each in row} for row in queries])
    tags = tags_of(documents)
    counted = index.pairs(tags)
    assert len(counted) == len(documents) + 1
    part = slice(min(start, len(documents)), min(start + length, len(documents)))
    found = index.match(tags.slice(part.start, part.stop - part.start))
    assert len(found.rows) == counted[part.stop] - counted[part.start]
    expected = sorted(
        (query, place)
        for place, row in enumerate(documents[part])
        for label in row
        for query, wanted in enumerate(queries)
        if label in wanted
    )
    assert sorted(zip(found.queries.tolist(), found.rows.tolist(), strict=True)) == expected


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 30))
def test_parts_cover_a_shard_and_hold_no_more_pairs_than_allowed(per_row: list[int], most: int) -> None:
    pairs = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(per_row, np.int64))])
    parts = list(cuts(pairs, most))
    assert [row for start, stop in parts for row in range(start, stop)] == list(range(len(per_row)))
    for start, stop in parts:
        assert pairs[stop] - pairs[start] <= most or stop - start == 1
    for (start, stop), (_, after) in pairwise(parts):
        assert pairs[min(stop + 1, after)] - pairs[start] > most, "as few parts as that allows"


def test_a_corpus_of_two_classes_is_cut_and_keeps_every_vector(tmp_path: Path) -> None:
    labels = ["ab"[number % 2] for number in range(100)]
    vectors = np.arange(400, dtype="<f2").reshape(100, 4)
    column = pa.Array.from_buffers(pa.binary(8), 100, [None, pa.py_buffer(vectors)])
    table = pa.table({"doc_id": [f"d/{n:03}" for n in range(100)], "tags": tags_of([[each] for each in labels])})
    path = str(tmp_path / "shard.parquet")
    pq.write_table(table.append_column("vector", column), path)
    index = TagIndex([{tag("group", "a")}] * 8)
    whole = list(Corpus([ShardReference("", path)], [], 4).shards(index))
    assert len(whole) == 1
    parts = list(Corpus([ShardReference("", path)], [], 4).shards(index, most=40))
    assert len(parts) == 10
    assert all(len(each.left_out[0].rows) <= 40 for each in parts)
    assert np.array_equal(np.concatenate([each.vectors for each in parts]), whole[0].vectors)
    assert np.array_equal(np.concatenate([each.order for each in parts]), whole[0].order)
