"""Benchmarks in Parquet, as a hub keeps them: a folder of shards per table, or rows as MTEB's tasks have them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from decontamination_world import PARAGRAPH, beir, lines
from dedup_world import dedup, document
from oreline.decontamination.layout import problems
from oreline.decontamination.reading import BenchmarkRow, read_benchmark
from oreline.errors import SourceError
from oreline.recipe.settings import Benchmark, Decontaminate

from house import recipe_for

QUERIES = {"q1": "what is a swift", "q2": "why does concrete set", "q3": "only in training"}
CORPUS: dict[str, str | tuple[str, str]] = {"d1": ("Swifts", PARAGRAPH), "d2": "Cement and water.", "d3": "Unasked."}
QRELS: dict[str, list[tuple[str, str, float]]] = {
    "test": [("q1", "d1", 1.0), ("q2", "d2", 2.0), ("q2", "d3", 0.0)],
    "train": [("q3", "d3", 1.0)],
}


def read(path: Path, **settings: object) -> list[BenchmarkRow]:
    return list(read_benchmark(Benchmark.model_validate({"path": str(path), **settings})))


def parquet(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)


def hub_folder(folder: Path, qrels: str) -> Path:
    """Writes the benchmark with its corpus in two shards, of which the second holds nothing that is relevant."""
    plain = beir(folder.parent / "plain", QUERIES, CORPUS, QRELS)
    for table, shards in (("queries", 1), ("corpus", 2)):
        rows = [json.loads(line) for line in (plain / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()]
        cut = [rows] if shards == 1 else [rows[:2], rows[2:]]
        for place, some in enumerate(cut):
            parquet(folder / table / f"{table}-{place:05}-of-{shards:05}.parquet", some)
    for split, judged in QRELS.items():
        rows = [dict(zip(("query-id", "corpus-id", "score"), each, strict=True)) for each in judged]
        parquet(folder / qrels / f"{split}-00000-of-00001.parquet", rows)
    return folder


@pytest.mark.parametrize("qrels", ["qrels", "default"])
def test_a_hub_folder_is_read_as_the_beir_folder_that_it_was_made_from(tmp_path: Path, qrels: str) -> None:
    folder = hub_folder(tmp_path / "hub", qrels)
    assert read(folder) == read(tmp_path / "plain")
    assert [row.label for row in read(folder, split="train")] == [
        row.label for row in read(tmp_path / "plain", split="train")
    ]
    (told,) = problems(Decontaminate(against=[Benchmark(path=str(folder), split="dev")]))
    assert "no split 'dev'; qrels/ holds test, train" in told


def test_tables_may_be_single_files_and_qrels_tab_separated(tmp_path: Path) -> None:
    plain = beir(tmp_path / "plain", QUERIES, CORPUS, QRELS)
    expected = read(plain)
    for table in ("queries", "corpus"):
        file = plain / f"{table}.jsonl"
        parquet(
            plain / f"{table}.parquet", [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        )
        file.unlink()
    assert read(plain) == expected


def test_rows_of_mteb_may_be_parquet(tmp_path: Path) -> None:
    rows = [{"query": "a swift", "positive": ["one", "two"]}, {"query": "concrete", "positive": ["three"]}]
    parquet(tmp_path / "task" / "test.parquet", rows)
    lines(tmp_path / "test.jsonl", rows)
    found, expected = read(tmp_path / "task"), read(tmp_path / "test.jsonl")
    assert [(each.role, each.text) for each in found] == [(each.role, each.text) for each in expected]
    assert found[0].label == "test.parquet:1.query"


def test_a_damaged_file_and_a_row_without_text_are_named(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "hub", "qrels")
    shard = folder / "corpus" / "corpus-00001-of-00002.parquet"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-20])
    with pytest.raises(SourceError, match=r"corpus-00001-of-00002\.parquet:1: .* no readable Parquet from here on"):
        read(folder)
    parquet(shard, [{"_id": "d3", "text": "some"}, {"_id": "d4", "text": None}])
    with pytest.raises(SourceError, match=r"corpus-00001-of-00002\.parquet:2: .* text is NoneType"):
        read(folder)


def test_a_document_is_dropped_for_a_parquet_benchmark(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "hub", "default")
    recipe = recipe_for(tmp_path / "out", decontaminate={"against": [{"path": str(folder)}]})
    manifest = dedup(recipe, [document("a", PARAGRAPH.lower()), document("b", "Nothing of that.")])
    assert manifest.drops == {"contaminated": 1}
