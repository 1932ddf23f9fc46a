"""The ingest stage end to end: real corpora, bad corpora, and results that do not depend on how it ran."""

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oreline.commit import Pending, read_outcome
from oreline.job import Job
from oreline.recipe.settings import Recipe, Source
from oreline.records import Document, FateRow, Pair, Query, Reject
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Manifest, read_manifest

from house import data_folder, recipe_for, rows_of, run_stage


def recipe(tmp_path: Path, path: Path | str, name: str = "out", **source: object) -> Recipe:
    return Recipe.model_validate({"output": str(tmp_path / name), "sources": [{"path": str(path), **source}]})


def ingest(made: Recipe, *options: str) -> Manifest:
    return run_stage(made, "ingest", beam_options=options)


def failure(made: Recipe) -> str:
    """Runs a stage that is to fail, and returns its message."""
    run_pipeline(Job(made.output, "ingest", made, {}), BY_NAME["ingest"], Pending("test", {}, "2026-01-01T00:00:00Z"))
    outcome = read_outcome(made.output, "ingest")
    assert outcome is not None, "the stage did not fail"
    assert read_manifest(made.output, "ingest") is None
    return outcome.message


def write_jsonl(path: Path, rows: list[object]) -> Path:
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return path


def documents(made: Recipe) -> list[Document]:
    return sorted(rows_of(made.output, "ingest", "documents", Document), key=lambda row: row.doc_id)


def rejects(made: Recipe) -> dict[str, tuple[str, str]]:
    return {row.row_id: (row.reason, row.detail) for row in rows_of(made.output, "ingest", "rejects", Reject)}


def digests(manifest: Manifest) -> list[str]:
    return [manifest.digest(table) for table in ("documents", "queries", "pairs")]


def beir(folder: Path, corpus: list[object], queries: list[object], qrels: dict[str, str]) -> Path:
    (folder / "qrels").mkdir(parents=True)
    write_jsonl(folder / "corpus.jsonl", corpus)
    write_jsonl(folder / "queries.jsonl", queries)
    for split, text in qrels.items():
        (folder / "qrels" / f"{split}.tsv").write_text(text)
    return folder


def test_medquad_comes_in_whole(tmp_path: Path) -> None:
    made = recipe(tmp_path, data_folder("medquad-sample"))
    manifest = ingest(made)
    assert [manifest.rows(table) for table in ("documents", "queries", "pairs")] == [3390, 2494, 3390]
    assert manifest.books.kept.count == manifest.books.units.count == 9274
    query = next(row for row in rows_of(made.output, "ingest", "queries", Query) if row.query_id.endswith("/faq279"))
    assert (query.query, query.split, query.origin) == ("What is (are) Polycythemia Vera?", "test", "human")


def test_nl2bash_is_code(tmp_path: Path) -> None:
    made = recipe(tmp_path, data_folder("nl2bash"), content="code", task_type="code_retrieval")
    manifest = ingest(made)
    assert [manifest.rows(table) for table in ("documents", "queries", "pairs")] == [10624, 11348, 12607]


def test_xquad_merges_what_two_splits_say_and_groups_translations(tmp_path: Path) -> None:
    made = recipe(tmp_path, data_folder("xquad-r-sample"), group="^[a-z]+-(.*)$")
    manifest = ingest(made)
    assert (manifest.rows("pairs"), manifest.books.merged.count) == (2898, 966)
    same = [row.doc_id for row in documents(made) if row.group == "00-00"]
    assert same == [f"xquad-r-sample/{lang}-00-00" for lang in ("de", "en", "zh")]


def test_rn_docs_are_documents_alone(tmp_path: Path) -> None:
    manifest = ingest(recipe(tmp_path, data_folder("rn-docs-sample")))
    assert [manifest.rows(table) for table in ("documents", "queries", "pairs")] == [538, 0, 0]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    corpus: list[object] = [{"_id": f"d{n}", "title": "T", "text": f"text {n}"} for n in range(40)]
    corpus += [{"_id": "d1", "title": "T", "text": "text 1"}, {"_id": "d2", "title": "T", "text": "other"}]
    queries: list[object] = [{"_id": f"q{n}", "text": f"query {n}"} for n in range(40)]
    lines = [f"q{n}\td{(n * 7) % 45}\t{n % 3}" for n in range(38)]
    return beir(tmp_path / "mixed", corpus, queries, {"test": "query-id\tcorpus-id\tscore\n" + "\n".join(lines)})


def test_fates_of_a_beir_folder_balance_and_name_their_reasons(tmp_path: Path, mixed: Path) -> None:
    made = recipe(tmp_path, mixed)
    manifest = ingest(made)
    assert manifest.books.units.count == 42 + 40 + 38
    assert manifest.drops["conflicting_id"] == 2
    assert manifest.drops["no_judgement"] >= 2
    found = rejects(made)
    assert found["mixed/corpus.jsonl:3"][0] == found["mixed/corpus.jsonl:42"][0] == "conflicting_id"
    merged = [row for row in rows_of(made.output, "ingest", "fates", FateRow) if row.fate == "merged"]
    assert [(row.unit_id, row.into) for row in merged] == [("mixed/corpus.jsonl:41", "mixed/corpus.jsonl:2")]


def test_bundles_twice_two_workers_and_shuffled_input_give_equal_tables(tmp_path: Path, mixed: Path) -> None:
    first = digests(ingest(recipe(tmp_path, mixed)))
    again = digests(ingest(recipe(tmp_path, mixed, "again"), "--direct_runner_bundle_repeat=1"))
    options = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    two = digests(ingest(recipe(tmp_path, mixed, "two"), *options))
    for path in mixed.rglob("*l"):
        lines = path.read_text().splitlines()
        random.Random(3).shuffle(lines)
        path.write_text("\n".join(lines) + "\n")
    shuffled = digests(ingest(recipe(tmp_path, mixed, "shuffled")))
    assert first == again == two == shuffled


def test_grades_become_labels_and_a_missing_end_is_rejected(tmp_path: Path) -> None:
    corpus: list[object] = [{"_id": name, "text": f"text {name}"} for name in "abc"]
    corpus.append({"_id": "e", "text": " "})
    qrels = "q\ta\t2\nq\tb\t1\nq\tc\t0\nq\te\t2\nq\tnowhere\t2\nnobody\ta\t1\nq\ta\tmany\n"
    folder = beir(tmp_path / "graded", corpus, [{"_id": "q", "text": "?"}], {"test": qrels})
    made = recipe(tmp_path, folder, positive_from=2.0, reject_share=0.5)
    ingest(made)
    pairs = {row.doc_id: (row.label, row.grade) for row in rows_of(made.output, "ingest", "pairs", Pair)}
    assert pairs == {
        "graded/a": ("positive", 2.0),
        "graded/b": ("partial", 1.0),
        "graded/c": ("negative", 0.0),
    }
    reasons = {row_id.rpartition("/")[2]: reason for row_id, (reason, _) in rejects(made).items()}
    assert reasons == {
        "corpus.jsonl:4": "empty",
        "test.tsv:4": "unknown_document",
        "test.tsv:5": "unknown_document",
        "test.tsv:6": "unknown_query",
        "test.tsv:7": "unreadable",
    }


def test_a_query_judged_in_two_splits_is_not_for_training(tmp_path: Path) -> None:
    corpus: list[object] = [{"_id": "a", "text": "x"}, {"_id": "b", "text": "y"}]
    judged = {"train": "q 0 a 1\n", "test": "q 0 b 1\n"}
    made = recipe(tmp_path, beir(tmp_path / "two", corpus, [{"_id": "q", "text": "?"}], judged))
    ingest(made)
    assert [row.split for row in rows_of(made.output, "ingest", "queries", Query)] == ["test"]
    assert len(rows_of(made.output, "ingest", "pairs", Pair)) == 2


def test_a_split_that_is_not_chosen_passes_its_queries_over(tmp_path: Path) -> None:
    corpus: list[object] = [{"_id": "a", "text": "x"}]
    queries: list[object] = [{"_id": "q", "text": "?"}, {"_id": "r", "text": "??"}]
    made = recipe(
        tmp_path, beir(tmp_path / "s", corpus, queries, {"dev": "q\ta\t1\n", "test": "r\ta\t1\n"}), split="dev"
    )
    assert ingest(made).drops == {}
    assert [(row.unit_id, row.fate) for row in rows_of(made.output, "ingest", "fates", FateRow)] == [
        ("s/queries.jsonl:2", "passed_over")
    ]


def test_bad_rows_are_rejected_with_their_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows: list[object] = [
        {"id": "rtl", "text": "שלום עולם"},
        {"id": "emoji", "text": "👩‍👩‍👧 family"},
        {"id": "null", "text": "a\x00b"},
        {"id": "empty", "text": ""},
        {"id": "blank", "text": " \n\t"},
        b'{"id": "cut", "text": "no end\n',
        b'{"id": "latin", "text": "caf\xe9"}\n',
        b'{"id": "half", "text": "\\ud800"}\n',
        {"id": "twice", "text": "one"},
        {"id": "twice", "text": "two"},
        {"id": "none"},
        b"[1, 2]\n",
        b"\n",
    ]
    made = recipe(tmp_path, write_jsonl(tmp_path / "bad.jsonl", rows), reject_share=0.5)
    ingest(made)
    assert [row.doc_id for row in documents(made)] == ["bad/emoji", "bad/null", "bad/rtl"]
    found = rejects(made)
    assert {int(row_id.rpartition(":")[2]): reason for row_id, (reason, _) in found.items()} == {
        4: "empty",
        5: "empty",
        6: "unreadable",
        7: "unreadable",
        8: "unreadable",
        9: "conflicting_id",
        10: "conflicting_id",
        11: "missing_column",
        12: "unreadable",
    }
    assert "bad.jsonl:6: no valid JSON: " in found["bad/bad.jsonl:6"][1]
    assert "column" in found["bad/bad.jsonl:6"][1]
    assert "invalid UTF-8" in found["bad/bad.jsonl:7"][1]
    assert "lone surrogate \\ud800" in found["bad/bad.jsonl:8"][1]


def test_one_broken_line_never_stops_a_source_but_a_share_above_the_setting_does(tmp_path: Path) -> None:
    good: list[object] = [{"text": f"text {number}"} for number in range(20)]
    ingest(recipe(tmp_path, write_jsonl(tmp_path / "one.jsonl", [*good, b"{\n"]), "one"))
    path = write_jsonl(tmp_path / "many.jsonl", [*good, b"{\n", b"{\n", b"{\n"])
    message = failure(recipe(tmp_path, path, "many", reject_share=0.1))
    assert "3 of 23 rows cannot be read" in message
    assert "many.jsonl:21: no valid JSON" in message
    assert "raise sources[].reject_share" in message
    assert "1 of 21" in failure(recipe(tmp_path, tmp_path / "one.jsonl", "none", reject_share=0.0))


def test_an_empty_file_fails_by_name(tmp_path: Path) -> None:
    (tmp_path / "void.jsonl").touch()
    assert "void.jsonl: it holds no rows" in failure(recipe(tmp_path, tmp_path / "void.jsonl"))


def test_a_corpus_of_one_document_is_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("The only text.")
    made = recipe(tmp_path, tmp_path / "one.txt")
    ingest(made)
    assert [(row.doc_id, row.parent_id, row.position) for row in documents(made)] == [
        ("one/one.txt#0", "one/one.txt", 0)
    ]


def test_a_document_of_fifty_megabytes_is_too_long_unless_chunked(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "big.jsonl", [{"id": "big", "text": "word " * 10_000_000}, {"id": "s", "text": "ok"}])
    made = recipe(tmp_path, path)
    ingest(made)
    assert [row.doc_id for row in documents(made)] == ["big/s"]
    assert "about 12,500,000 tokens, max_tokens is 100,000" in rejects(made)["big/big.jsonl:1"][1]


def test_parquet_with_a_missing_or_mistyped_column_fails_with_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"body": ["a"], "number": [1]}), path)
    missing = failure(recipe(tmp_path, path, "a", columns={"text": "txt"}))
    assert missing.endswith("table.parquet: no column 'txt' (columns.text); found: body (string), number (int64)")
    mistyped = failure(recipe(tmp_path, path, "b", columns={"text": "number"}))
    assert mistyped.endswith("column 'number' (columns.text) has type int64, expected string")
    made = recipe(tmp_path, path, "c")
    ingest(made)
    assert [(row.text, row.metadata) for row in documents(made)] == [("a", '{"number": 1}')]


def test_rows_with_query_and_positive_become_documents_queries_and_pairs(tmp_path: Path) -> None:
    rows: list[object] = [
        {"id": "1", "query": "who?", "positive": "me", "negative": ["you", "them"], "score": 3},
        {"id": "2", "query": "who else?", "positive": "me"},
        {"id": "3", "query": "who?", "positive": " "},
        {"query": "nobody?", "positive": "you"},
        {"query": "nobody?", "positive": "them"},
        {"query": "nobody?", "positive": "them"},
    ]
    made = recipe(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows))
    manifest = ingest(made)
    texts = {row.doc_id: row.text for row in documents(made)}
    asked = {row.query_id: row.query for row in rows_of(made.output, "ingest", "queries", Query)}
    pairs = rows_of(made.output, "ingest", "pairs", Pair)
    assert sorted(texts.values()) == ["me", "them", "you"]
    assert sorted((asked[row.query_id], texts[row.doc_id], row.label) for row in pairs) == [
        ("nobody?", "them", "positive"),
        ("nobody?", "you", "positive"),
        ("who else?", "me", "positive"),
        ("who?", "me", "positive"),
        ("who?", "them", "negative"),
        ("who?", "you", "negative"),
    ]
    assert (manifest.books.kept.count, manifest.books.merged.count, manifest.drops) == (4, 1, {"empty": 1})


def test_a_limit_keeps_the_same_documents_in_any_order(tmp_path: Path) -> None:
    rows: list[object] = [{"id": str(number), "text": f"text {number}"} for number in range(100)]
    first = recipe(tmp_path, write_jsonl(tmp_path / "l.jsonl", rows), "first", limit=7)
    manifest = ingest(first)
    second = recipe(tmp_path, write_jsonl(tmp_path / "l.jsonl", rows[::-1]), "second", limit=7)
    ingest(second)
    assert len(documents(first)) == 7
    assert [row.doc_id for row in documents(first)] == [row.doc_id for row in documents(second)]
    assert manifest.books.passed_over.count == 93


def test_a_damaged_archive_fails_by_name_and_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    whole = gzip.compress(b"".join(b'{"text": "text %d"}\n' % number for number in range(20_000)))
    path.write_bytes(whole[: len(whole) // 2])
    assert "cut.jsonl.gz: the file is damaged after line" in failure(recipe(tmp_path, path))


def test_a_folder_of_pages_is_chunked_and_a_binary_page_is_rejected(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("---\ntitle: Ships\n---\nIntro text.\n\n## Sails\n\n" + "Sails pull. " * 300)
    (folder / "sub" / "note.txt").write_text("A note.")
    (folder / "bad.md").write_bytes(b"# x\n\xff\xfe")
    made = recipe(tmp_path, folder)
    ingest(made)
    rows = documents(made)
    assert [(row.doc_id, row.title) for row in rows][:2] == [("docs/a.md#0", "Ships"), ("docs/a.md#1", "Ships > Sails")]
    assert rows[-1].doc_id == "docs/sub/note.txt#0"
    assert {row.parent_id for row in rows} == {"docs/a.md", "docs/sub/note.txt"}
    assert rejects(made)["docs/bad.md"][0] == "unreadable"
    assert "line 2" in rejects(made)["docs/bad.md"][1]


def test_a_row_without_the_column_of_its_parent_is_rejected_and_the_others_have_theirs(tmp_path: Path) -> None:
    rows = [{"id": str(number), "text": f"text {number}", "page": f"p{number % 2}"} for number in range(4)]
    rows.append({"id": "4", "text": "text 4"})
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = recipe_for(tmp_path / "out").model_copy(update={"sources": [Source(path=str(source), parent="page")]})
    manifest = run_stage(recipe, "ingest")
    parents = [row.parent_id for row in rows_of(tmp_path / "out", "ingest", "documents", Document)]
    assert sorted(str(parent) for parent in parents) == ["rows/p0", "rows/p0", "rows/p1", "rows/p1"]
    assert manifest.drops == {"missing_column": 1}
