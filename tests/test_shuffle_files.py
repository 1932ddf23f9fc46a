"""The shuffle by files gives every row back, under its key."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.errors import BrokenTable
from oreline.job import Job
from oreline.shuffle import Reference, Scatter, gather
from oreline.tables.schema import dictionary

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


def test_a_column_of_repeated_texts_comes_back_as_it_was_from_however_many_writes(tmp_path: Path) -> None:
    texts = ["river", None, "mill", "river", "corn", None, "mill"]
    scatter = Scatter(Job(str(tmp_path), "dedup", recipe_for(tmp_path), {}), "texts")
    references: list[Reference] = []
    for start in range(0, len(texts), 3):
        block = texts[start : start + 3]
        rows = pa.table({"text": dictionary(block), "place": [*range(start, start + len(block))]})
        references.extend(scatter.write([place % 2 for place in range(start, start + len(block))], rows))
    references.extend(scatter.close())
    found = gather(reference for _, reference in references)["texts"]
    assert {row["place"]: row["text"] for row in found.to_pylist()} == dict(enumerate(texts))


def test_texts_that_do_not_repeat_are_not_read_for_each_key_and_mix_with_those_that_do(tmp_path: Path) -> None:
    scatter = Scatter(Job(str(tmp_path), "dedup", recipe_for(tmp_path), {}), "texts")
    references: list[Reference] = []
    files = (["the river"] * 20, [f"river {place} " + 900 * chr(97 + place) for place in range(20)])
    for texts in files:
        rows = pa.table({"text": dictionary(texts), "place": [*range(20)]})
        references.extend(scatter.write([*range(20)], rows))
        references.extend(scatter.close())
    kinds = {gather([reference])["texts"].schema.field("text").type for _, reference in references}
    assert kinds == {pa.dictionary(pa.int32(), pa.string()), pa.string()}
    for key in range(20):
        found = gather(reference for each, reference in references if each == key)["texts"]
        assert sorted(found.column("text").to_pylist()) == sorted(texts[key] for texts in files)


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_file_that_is_gone_or_cut_short_is_named(tmp_path: Path, damage: str) -> None:
    scatter = Scatter(Job(str(tmp_path), "dedup", recipe_for(tmp_path), {}), "texts")
    list(scatter.write([1, 2], pa.table({"text": ["a", "b"]})))
    references = [reference for _, reference in scatter.close()]
    (path,) = (tmp_path / "dedup" / "_scratch").iterdir()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BrokenTable, match=rf"{path.name}: rows on their way cannot be read .*run the recipe again"):
        gather(references)


def test_rows_and_keys_of_different_length_are_refused(tmp_path: Path) -> None:
    scatter = Scatter(Job(str(tmp_path), "dedup", recipe_for(tmp_path), {}), "texts")
    with pytest.raises(ValueError, match="1 rows came with 2 keys"):
        list(scatter.write([1, 2], pa.table({"text": ["a"]})))
