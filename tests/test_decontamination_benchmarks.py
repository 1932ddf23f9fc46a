"""Reading benchmarks: BEIR folders, JSON lines as MTEB's tasks have them, plain text, and what is wrong with them."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from decontamination_world import beir, lines, text_file
from oreline.decontamination.layout import benchmark_files, benchmark_format, benchmark_name, problems
from oreline.decontamination.reading import BenchmarkRow, read_benchmark
from oreline.errors import RecipeError, SourceError
from oreline.recipe.settings import Benchmark, Decontaminate

QUERIES = {"q1": "what is a swift", "q2": "why does concrete set", "q3": "only in training"}
CORPUS: dict[str, str | tuple[str, str]] = {
    "d1": ("Swifts", "A bird."),
    "d2": "Cement and water.",
    "d3": "Nobody asks for this.",
}
TEST = [("q1", "d1", 1.0), ("q2", "d2", 2.0), ("q2", "d3", 0.0)]


def read(path: Path, **settings: object) -> list[BenchmarkRow]:
    return list(read_benchmark(Benchmark.model_validate({"path": str(path), **settings})))


def labels(rows: Sequence[BenchmarkRow], role: str) -> list[str]:
    return [row.label for row in rows if row.role == role]


def test_a_beir_folder_gives_the_judged_queries_and_tells_relevant_documents_from_others(tmp_path: Path) -> None:
    rows = read(beir(tmp_path / "b", QUERIES, CORPUS, {"test": TEST, "train": [("q3", "d3", 1.0)]}))
    assert labels(rows, "query") == ["queries/q1", "queries/q2"], "q3 is judged in train alone"
    assert labels(rows, "relevant") == ["corpus/d1", "corpus/d2"]
    assert labels(rows, "other") == ["corpus/d3"]
    assert BenchmarkRow("corpus/d1", "relevant", "Swifts", "A bird.") in rows


def test_splits_and_the_least_grade_are_settings(tmp_path: Path) -> None:
    folder = beir(tmp_path / "b", QUERIES, CORPUS, {"test": TEST, "train": [("q3", "d3", 1.0)]})
    assert labels(read(folder, split="train"), "query") == ["queries/q3"]
    assert labels(read(folder, split=["train", "test"]), "relevant") == ["corpus/d1", "corpus/d2", "corpus/d3"]
    assert labels(read(folder, relevant_from=2.0), "relevant") == ["corpus/d2"]


def test_a_least_grade_above_all_grades_is_an_error_that_names_the_largest(tmp_path: Path) -> None:
    folder = beir(tmp_path / "b", QUERIES, CORPUS, {"test": TEST})
    message = r"benchmark .*b: no document is relevant.* relevant_from is 3, the largest grade in the qrels is 2; set"
    with pytest.raises(SourceError, match=message):
        read(folder, relevant_from=3.0)
    (folder / "corpus.jsonl").unlink()
    assert labels(read(folder, relevant_from=3.0), "query") == ["queries/q1", "queries/q2"], "no document, no grade"


def test_without_qrels_all_queries_are_test_queries_and_no_document_is_known_to_be_relevant(tmp_path: Path) -> None:
    rows = read(beir(tmp_path / "b", QUERIES, CORPUS, {}))
    assert len(labels(rows, "query")) == len(labels(rows, "other")) == 3


def test_qrels_may_be_json_lines_or_trec_columns_and_tables_compressed(tmp_path: Path) -> None:
    folder = beir(tmp_path / "b", QUERIES, CORPUS, {})
    (folder / "qrels").mkdir()
    lines(folder / "qrels" / "test.jsonl", [{"query-id": "q1", "corpus-id": "d1", "score": 1}])
    (folder / "qrels" / "dev.tsv").write_text("q2 0 d2 1\n", encoding="utf-8")
    corpus = folder / "corpus.jsonl"
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(corpus.read_bytes()))
    corpus.unlink()
    rows = read(folder)
    assert labels(rows, "query") == ["queries/q1", "queries/q2"]
    assert labels(rows, "relevant") == ["corpus/d1", "corpus/d2"]


def test_queries_alone_are_a_benchmark(tmp_path: Path) -> None:
    lines(tmp_path / "queries.jsonl", [{"_id": 7, "text": "what is a swift"}])
    assert read(tmp_path) == [BenchmarkRow("queries/7", "query", None, "what is a swift")]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"sentence1": "a b", "sentence2": "c d", "score": 3.2}, {("sentence1", "text"), ("sentence2", "text")}),
        ({"text": "a b", "label": 4}, {("text", "text")}),
        ({"sentences": ["a", "b"], "labels": [0, 1]}, {("sentences[0]", "text"), ("sentences[1]", "text")}),
        (
            {"query": "a", "positive": ["b"], "negative": ["c"]},
            {("query", "query"), ("positive[0]", "relevant"), ("negative[0]", "other")},
        ),
        ({"sent1": ["a"], "sent2": ["b"], "labels": [1]}, {("sent1[0]", "text"), ("sent2[0]", "text")}),
    ],
)
def test_rows_of_mteb_tasks_are_read_by_their_columns(
    row: Mapping[str, object], found: set[tuple[str, str]], tmp_path: Path
) -> None:
    rows = read(lines(tmp_path / "task.jsonl", [row]))
    assert {(each.label.removeprefix("task.jsonl:1."), each.role) for each in rows} == found


def test_columns_are_a_setting(tmp_path: Path) -> None:
    path = lines(tmp_path / "task.jsonl", [{"question": "a", "answer": "b", "text": "c"}])
    rows = read(path, columns={"query": ["question"], "relevant": ["answer"]})
    assert [(each.label, each.role) for each in rows] == [
        ("task.jsonl:1.question", "query"),
        ("task.jsonl:1.answer", "relevant"),
    ]


def test_plain_text_is_a_line_or_a_file_each(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    one = text_file(tmp_path / "texts" / "one.txt", ["first line", "", "second line"])
    assert [each.label for each in read(one)] == ["one.txt:1", "one.txt:3"]
    assert read(tmp_path / "texts") == [BenchmarkRow("one.txt", "text", None, "first line\n\nsecond line")]
    assert len(read(one, unit="file")) == 1
    assert len(read(tmp_path / "texts", unit="line")) == 2


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "json": ("corpus.jsonl", b'{"_id": "d1", "text": "x"}\n{"_id": \n', "corpus.jsonl:2: .*no valid JSON"),
    "list": ("corpus.jsonl", b"[1]\n", "corpus.jsonl:1: .*expected a JSON object, found list"),
    "no id": ("corpus.jsonl", b'{"text": "x"}\n', "corpus.jsonl:1: .*no id: expected _id, found 'text'"),
    "no text": ("queries.jsonl", b'{"_id": "q1"}\n', "queries.jsonl:1: .*no text: expected text, found '_id'"),
    "utf-8": ("queries.jsonl", b'\n{"_id": "\xff"}\n', "queries.jsonl:2: .*invalid UTF-8 at byte 10"),
    "surrogate": ("corpus.jsonl", b'{"_id": "d1", "text": "\\ud800"}\n', "corpus.jsonl:1: .*surrogate"),
    "grade": (
        "qrels/test.tsv",
        b"q1\td1\tgood\nq1\td1\tbad\n",
        "test.tsv:2: .*expected a number as grade, found 'bad'",
    ),
    "fields": ("qrels/test.tsv", b"q1\td1\t1\nq1\n", "test.tsv:2: .*expected query id, document id and grade, found 1"),
    "nan": ("qrels/test.tsv", b"q1\td1\t1\nq1\td1\tnan\n", "test.tsv:2: .*the grade is nan"),
    "text of another type": (
        "queries.jsonl",
        b'{"_id": "q1", "text": null}\n',
        "queries.jsonl:1: .*no text: text is NoneType, expected a string",
    ),
    "document ids": ("qrels/test.tsv", b"q1\t1\t1\n", "none of its 3 documents is one that .* relevant, such as '1'"),
    "ids": ("qrels/test.tsv", b"other\td1\t1\n", "none of its 3 queries is judged in the qrels, which name 'other'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_row_that_cannot_be_read_is_an_error_that_names_file_and_line(case: str, tmp_path: Path) -> None:
    name, contents, message = BROKEN[case]
    folder = beir(tmp_path / "b", QUERIES, CORPUS, {"test": TEST})
    (folder / name).write_bytes(contents)
    with pytest.raises(SourceError, match=message):
        read(folder)


def test_a_row_of_an_mteb_file_without_a_known_column_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = lines(tmp_path / "task.jsonl", [{"text": "a"}, {"question": "a"}])
    with pytest.raises(SourceError, match=r"task.jsonl:2: .*found 'question'; set columns"):
        read(path)
    with pytest.raises(SourceError, match=r"task.jsonl:2: .*the column 'text' is missing"):
        read(path, columns={"text": ["text"]})
    lines(path, [{"text": 3}])
    with pytest.raises(SourceError, match=r"task.jsonl:1: .*holds int, expected text or a list of texts"):
        read(path)


def test_a_path_a_split_or_a_format_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    folder = beir(tmp_path / "b", QUERIES, CORPUS, {"train": TEST})
    (tmp_path / "mixed").mkdir()
    lines(tmp_path / "mixed" / "a.jsonl", [{"text": "a"}])
    text_file(tmp_path / "mixed" / "a.txt", ["a"])
    (tmp_path / "empty").mkdir()
    told = problems(
        Decontaminate(
            against=[
                Benchmark(path=str(tmp_path / "missing")),
                Benchmark(path=str(folder), split="dev"),
                Benchmark(path=str(folder)),
                Benchmark(path=str(tmp_path / "mixed")),
                Benchmark(path=str(tmp_path / "empty")),
                Benchmark(path=str(tmp_path / "mixed"), format="beir"),
                Benchmark(path=str(folder), format="text"),
                Benchmark(path=str(folder / "corpus.jsonl"), format="beir"),
            ]
        )
    )
    expected = [
        "there is no such file or folder",
        "no split 'dev'; qrels/ holds train",
        "qrels/ holds train alone, which is not tested with; name the split",
        "it holds rows and text; set its format",
        "this folder is empty",
        "looked for queries and corpus, as .jsonl or .parquet, here and found neither",
        r"looked for *.txt in this folder and found none",
        "the format beir needs a folder with queries",
    ]
    assert [part in line for part, line in zip(expected, told, strict=True)] == [True] * len(expected), told


def test_a_benchmark_is_named_after_its_path(tmp_path: Path) -> None:
    assert benchmark_name(Benchmark(path="bench/scifact/")) == "scifact"
    assert benchmark_name(Benchmark(path="bench/sts 17.jsonl.gz")) == "sts-17"
    assert benchmark_name(Benchmark(path="x", name="mine")) == "mine"
    with pytest.raises(RecipeError, match="no name follows"):
        benchmark_name(Benchmark(path="/"))
    path = lines(tmp_path / "a.jsonl.gz", [])
    assert benchmark_format(Benchmark(path=str(path))) == "mteb"
    assert [each.relative for each in benchmark_files(Benchmark(path=str(path)))] == ["a.jsonl.gz"]


def test_hidden_files_are_no_part_of_a_benchmark(tmp_path: Path) -> None:
    text_file(tmp_path / "one.txt", ["first"])
    (tmp_path / ".cache").mkdir()
    text_file(tmp_path / ".cache" / "two.txt", ["second"])
    assert [each.label for each in read(tmp_path)] == ["one.txt"]
