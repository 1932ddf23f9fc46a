"""The shuffle by files gives every row back, under its key."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.job import Job
from oreline.shuffle import Reference, Scatter, gather

from house import recipe_for


@given(st.lists(st.tuples(st.integers(0, 5), st.text(st.characters(exclude_categories=["Cs"]))), max_size=40))
def test_every_row_comes_back_under_its_key(rows: list[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job = Job(folder, "dedup", recipe_for(Path(folder)), {})
        scatter = Scatter(job, "texts")
        references: list[Reference] = []
        for start in range(0, len(rows), 7):
            block = rows[start : start + 7]
            keys = [key for key, _ in block]
            references.extend(
                scatter.write(keys, pa.table({"text": pa.array([text for _, text in block], pa.string())}))
            )
        references.extend(scatter.close())
        found = [
            (key, text)
            for key in {key for key, _ in references}
            for text in gather(reference for other, reference in references if other == key)["texts"][
                "text"
            ].to_pylist()
        ]
    assert sorted(found) == sorted(rows)


def test_rows_and_keys_of_different_length_are_refused(tmp_path: Path) -> None:
    scatter = Scatter(Job(str(tmp_path), "dedup", recipe_for(tmp_path), {}), "texts")
    with pytest.raises(ValueError, match="1 rows came with 2 keys"):
        list(scatter.write([1, 2], pa.table({"text": ["a"]})))
