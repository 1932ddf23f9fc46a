"""`show` reads every kind of path that oreline writes, and says what it can read when it cannot."""

import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from export_world import finish_world, nasty_world, triple
from oreline.errors import BrokenTable, CallError
from oreline.llm import journal
from oreline.llm.requests import Answer
from oreline.recipe.loading import dump_recipe
from oreline.reports.plain import print_report
from oreline.reports.show import show
from oreline.tables.manifest import read_manifest

from house import recipe_for, run_stage

INPUTS = {"triples": "select", "documents": "synthesize", "queries": "filter"}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    recipe = recipe_for(tmp_path / "out", export={"formats": ["sentence-transformers", "jsonl"]})
    finish_world(recipe, [triple(f"q{n}", ["titled"], ["d1", "d2"]) for n in range(12)])
    run_stage(recipe, "export", INPUTS)
    (tmp_path / "out" / "recipe.yaml").write_text(dump_recipe(recipe))
    return tmp_path / "out"


def text_of(path: Path, width: int = 100, limit: int = 10) -> str:
    file = io.StringIO()
    print_report(show(str(path), limit=limit), Console(file=file, width=width))
    return file.getvalue()


def json_of(path: Path, limit: int = 10) -> list[dict[str, object]]:
    file = io.StringIO()
    print_report(show(str(path), as_json=True, limit=limit), Console(file=file, width=20))
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_an_output_shows_fates_skips_triples_and_paths(output: Path) -> None:
    text = text_of(output)
    assert re.search(r"export +12 +12 +0 +0 +0", text)
    assert "skipped: no llm in the recipe" in text
    assert "not run yet: ingest, dedup, embed, mine" in text
    assert text.count("+ A title") == 3
    assert f"{output}/train/sentence-transformers/world/negatives-2/train  12 rows\n" in text


def test_an_output_s_json_has_fates_then_triples(output: Path) -> None:
    lines = json_of(output, limit=2)
    assert [line["stage"] for line in lines if "stage" in line][-1] == "export"
    assert len([line for line in lines if "query_id" in line]) == 2


def test_a_stage_shows_its_books_tables_and_rows(output: Path) -> None:
    text = text_of(output / "select")
    assert "triples: 12 rows, 1 parts" in text
    assert "triples of select: 3 of 12 rows" in text
    (manifest,) = json_of(output / "select")
    assert manifest["stage"] == "select"
    assert json_of(output / "select" / "manifest.json") == [manifest]


def test_a_table_shows_rows_drawn_by_their_ids(output: Path) -> None:
    text = text_of(output / "synthesize" / "documents", limit=4)
    assert "documents of synthesize: 4 of 51 rows" in text
    assert text.count("content_hash") == 4
    rows = json_of(output / "synthesize" / "documents", limit=4)
    assert [sorted(row) for row in rows] == [sorted(rows[0])] * 4
    assert rows == json_of(output / "documents", limit=4)
    assert len(json_of(output / "documents", limit=1000)) == 51


def test_a_table_below_the_output_is_the_last_stage_s(output: Path) -> None:
    assert "queries of filter" in text_of(output / "queries")
    assert text_of(output / "triples", limit=5).count("+ A title") == 5


def test_triples_as_json_are_their_rows(output: Path) -> None:
    (row,) = json_of(output / "select" / "triples", limit=1)
    assert [each["doc_id"] for each in row["negatives"]] == ["world/d1", "world/d2"]  # type: ignore[attr-defined]  # parsed JSON


def test_train_lists_files_and_shows_rows(output: Path) -> None:
    text = text_of(output / "train")
    assert text.count("12 rows") == 3
    folder = output / "train" / "sentence-transformers" / "world" / "negatives-2" / "train"
    assert "anchor" in text_of(folder)
    (path,) = folder.iterdir()
    assert "12 rows; columns anchor, positive, negative_1, negative_2" in text_of(path, width=400)
    assert len(json_of(path, limit=5)) == 5
    assert [line["rows"] for line in json_of(output / "train")] == [12, 12]


def test_a_jsonl_file_is_shown(output: Path) -> None:
    (path,) = (output / "train" / "jsonl").rglob("*.jsonl")
    assert "query_id" in text_of(path)
    assert len(json_of(path, limit=5)) == 5


def test_a_recipe_is_shown_with_what_it_skips(output: Path) -> None:
    assert "judge is skipped: no llm in the recipe" in text_of(output / "recipe.yaml")
    assert json_of(output / "recipe.yaml")[0]["seed"] == 13


def test_a_journal_is_counted_by_prompt_and_model(tmp_path: Path) -> None:
    answers = [
        Answer(
            f"{n:02x}" * 32, 0, "ok" if n else "refused", "{}", model="m", prompt_id="retrieval/fret", output_tokens=7
        )
        for n in range(5)
    ]
    journal.append(str(tmp_path), answers)
    (tmp_path / "journal" / "v1" / "00" / "torn.parquet").write_bytes(b"PAR1")
    text = text_of(tmp_path / "journal", width=200)
    assert "5 segments, 5 answers" in text
    assert "not a whole segment" in text
    lines = {str(line.get("status")): line for line in json_of(tmp_path / "journal")}
    assert (lines["ok"]["answers"], lines["ok"]["output_tokens"], lines["refused"]["answers"]) == (4, 28, 1)


def test_nothing_in_a_corpus_steers_the_terminal(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, export={"formats": ["sentence-transformers", "jsonl"]})
    nasty_world(recipe)
    run_stage(recipe, "export", INPUTS)
    paths = [tmp_path, tmp_path / "documents", tmp_path / "queries", tmp_path / "triples", tmp_path / "train"]
    paths += [*tmp_path.glob("train/**/*.parquet"), *tmp_path.glob("train/**/*.jsonl")]
    for path in paths:
        for shown in (text_of(path, limit=60), "\n".join(map(str, show(str(path), limit=60, as_json=True)))):
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", shown), path


def test_a_narrow_terminal_wraps_and_loses_nothing(output: Path) -> None:
    text = text_of(output / "synthesize" / "documents", width=40, limit=1)
    assert max(map(len, text.splitlines())) <= 40
    row = json_of(output / "synthesize" / "documents", limit=1)[0]
    assert str(row["content_hash"]) in re.sub(r"\s", "", text)


def test_no_rows_are_shown_at_limit_0(output: Path) -> None:
    assert "+ A title" not in text_of(output, limit=0)
    assert json_of(output / "documents", limit=0) == []
    with pytest.raises(CallError, match="--limit is -1"):
        show(str(output), limit=-1)


def test_a_path_that_is_not_there_says_what_show_reads(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"nothing of that name; `oreline show` reads an output folder"):
        show(str(tmp_path / "nowhere"))


def test_a_stage_that_has_not_run_is_named_with_those_that_have(output: Path) -> None:
    with pytest.raises(CallError, match=r"stage mine has not run; finished in .*: synthesize, filter, select, export"):
        show(str(output / "mine"))


@pytest.mark.parametrize("name", ["notes.txt", "photos/cat.jpg"])
def test_a_foreign_path_says_what_was_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"?")
    with pytest.raises(CallError, match=r"none of these|a folder holding cat\.jpg"):
        show(str(path if path.parent == tmp_path else path.parent))


def test_a_manifest_edited_by_hand_is_a_broken_table(output: Path) -> None:
    path = output / "select" / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 12', '"rows": 13'))
    for broken in (output, output / "select", output / "triples"):
        with pytest.raises(BrokenTable, match="checksum does not match"):
            show(str(broken))


def test_a_part_that_is_gone_is_a_broken_table(output: Path) -> None:
    manifest = read_manifest(str(output), "select")
    assert manifest is not None
    (output / manifest.tables["triples"][0].path).unlink()
    with pytest.raises(BrokenTable, match="cannot be read"):
        show(str(output / "select" / "triples"))


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BrokenTable, match="not a whole Parquet file"):
        show(str(path))


def test_a_broken_line_of_json_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(BrokenTable, match=r"x\.jsonl:2: not a line of JSON"):
        show(str(path))
