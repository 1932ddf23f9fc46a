"""`oreline.read` gives what a manifest lists: no more, no less."""

from pathlib import Path

import pytest

import oreline
from oreline.errors import BrokenTable
from oreline.job import Job, StageWriter
from oreline.records import Document, Pair
from oreline.tables.parts import PartWriter
from oreline.tables.reading import iterate, matching
from oreline.tables.schema import to_arrow

from house import finish, recipe_for


def documents(*numbers: int) -> list[Document]:
    return [Document(f"d/{each}", "d", f"text {each}", f"c{each}", f"t{each}") for each in numbers]


def test_a_table_is_read_from_the_last_stage_that_wrote_it(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish(recipe, "ingest", {"documents": documents(1, 2, 3)})
    finish(recipe, "dedup", {"documents": documents(1, 3)})
    assert sorted(oreline.read(f"{tmp_path}/documents").collect()["doc_id"]) == ["d/1", "d/3"]
    assert len(oreline.read(f"{tmp_path}/ingest/documents").collect()) == 3


def test_a_part_that_no_manifest_lists_is_not_read(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish(recipe, "ingest", {"documents": documents(1)})
    stray = StageWriter(Job(str(tmp_path), "ingest", recipe, {}))
    stray.rows("documents", documents(2))
    stray.close()
    assert len(list((tmp_path / "ingest" / "documents").iterdir())) == 2
    assert oreline.read(f"{tmp_path}/documents").collect()["doc_id"].to_list() == ["d/1"]


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    finish(recipe_for(tmp_path), "ingest", {"pairs": []})
    frame = oreline.read(f"{tmp_path}/pairs").collect()
    assert (frame.height, frame.columns) == (0, ["query_id", "doc_id", "label", "source", "grade"])


@pytest.mark.parametrize(
    ("path", "told"),
    [("triples", "no finished stage wrote 'triples'"), ("rubbish", "must be a table, one of documents")],
)
def test_what_is_not_there_is_named(path: str, told: str, tmp_path: Path) -> None:
    finish(recipe_for(tmp_path), "ingest", {"documents": documents(1)})
    with pytest.raises(BrokenTable, match=told):
        oreline.read(f"{tmp_path}/{path}")


def test_rows_are_looked_up_by_any_column(tmp_path: Path) -> None:
    pairs = [Pair(f"q/{each % 3}", f"d/{each}", "positive", "human") for each in range(9)]
    manifest = finish(recipe_for(tmp_path), "ingest", {"pairs": pairs})
    found = matching(str(tmp_path), manifest.tables["pairs"], "query_id", {"q/1", "q/9"}, ["doc_id"])
    assert sorted(found.column("doc_id").to_pylist()) == ["d/1", "d/4", "d/7"]


def test_a_damaged_part_is_named_with_the_remedy(tmp_path: Path) -> None:
    manifest = finish(recipe_for(tmp_path), "ingest", {"documents": documents(1)})
    part = manifest.tables["documents"][0]
    (tmp_path / part.path).write_bytes(b"no parquet")
    with pytest.raises(BrokenTable, match=f"{part.path}.*run the recipe again"):
        list(iterate(str(tmp_path), [part]))


def test_reading_names_a_part_that_is_missing_or_cut_short(tmp_path: Path) -> None:
    manifest = finish(recipe_for(tmp_path), "ingest", {"documents": documents(3)})
    part = tmp_path / manifest.tables["documents"][0].path
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(BrokenTable, match=r"bytes, but ingest/manifest\.json lists .*run the recipe again"):
        oreline.read(f"{tmp_path}/documents")
    part.unlink()
    with pytest.raises(BrokenTable, match=r"missing, but .*run the recipe again"):
        oreline.read(f"{tmp_path}/ingest/documents")


def test_parts_are_rolled_before_they_grow_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oreline.tables.parts.ROLL_BYTES", 1)
    monkeypatch.setattr("oreline.tables.parts.ROW_GROUP_ROWS", 2)
    writer = PartWriter(str(tmp_path), "ingest", "documents")
    for start in range(0, 6, 2):
        writer.write(to_arrow(Document, documents(start, start + 1)))
    assert [part.rows for part in writer.close()] == [2, 2, 2]


def test_no_row_makes_no_part(tmp_path: Path) -> None:
    writer = PartWriter(str(tmp_path), "ingest", "documents")
    writer.write(to_arrow(Document, []))
    assert writer.close() == []
