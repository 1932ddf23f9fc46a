"""Each format's rows: tables in their forms, pages, docstrings."""

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from oreline.errors import SourceError
from oreline.recipe.settings import Columns, Source, SourceFormat
from oreline.sources import lines
from oreline.sources.columns import BadColumn, map_row, reference
from oreline.sources.found import Found, FoundDocument, Place
from oreline.sources.python_docs import docstrings, is_private, module_name
from oreline.sources.reading import read_file
from oreline.sources.scan import tolerated


def read(path: Path, form: SourceFormat, **settings: object) -> list[Found]:
    source = Source.model_validate({"path": str(path), **settings})
    return list(read_file(Place(source, 0, "d", path.name), str(path), form))


def texts(found: list[Found]) -> list[str]:
    return [document.text for each in found for document in each.documents]


ROWS = [{"id": "1", "text": 'one, "two"\nthree'}, {"id": "2", "text": "vier 🙂"}]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_jsonl_is_read_plain_and_compressed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    raw = "\ufeff".encode() + b"\n".join(json.dumps(row).encode() for row in ROWS)
    packed = {"gz": gzip.compress, "zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True)}
    path.write_bytes(packed.get(ending.rpartition(".")[2], lambda data: data)(raw))
    assert texts(read(path, "jsonl")) == [row["text"] for row in ROWS]


def test_csv_keeps_line_ends_in_fields_and_names_the_first_line_of_a_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text"])
        writer.writeheader()
        writer.writerows(ROWS)
    found = read(path, "csv")
    assert texts(found) == [row["text"] for row in ROWS]
    assert [each.unit for each in found] == ["d/x.csv:2", "d/x.csv:4"]


def test_a_csv_field_may_be_long_and_a_row_of_other_length_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,text\n1," + b"y" * 300_000 + b"\n2\n3,caf\xe9\n")
    found = read(path, "csv")
    assert len(texts(found)[0]) == 300_000
    assert [each.reject.detail for each in found if each.reject] == [
        "x.csv:3: 1 fields, but the header has 2",
        "x.csv:4: invalid UTF-8",
    ]


def test_a_quotation_mark_in_tsv_is_a_sign_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text('text\tlang\n"open\ten\nnext\tde\n')
    found = read(path, "tsv")
    assert [(document.text, document.lang) for each in found for document in each.documents] == [
        ('"open', "en"),
        ("next", "de"),
    ]


def test_a_table_without_the_named_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match=r"x\.csv: no column 'c' \(columns\.text\); found: a, b"):
        read(path, "csv", columns={"text": "c"})
    with pytest.raises(SourceError, match="no column holds the text"):
        read(path, "csv")


def test_a_line_too_long_for_memory_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 10)
    path = tmp_path / "x"
    path.write_bytes(b"short\n" + b"y" * 35 + b"\nlast")
    assert list(lines.lines(str(path))) == [(1, b"short"), (2, None), (3, b"last")]


def test_columns_are_found_by_name_and_type() -> None:
    row = {"_id": 7, "title": ["no text"], "content": "c", "body": "b", "metadata": {"k": 1}}
    mapped = map_row(Columns(), row)
    assert (mapped.own_id, mapped.title, mapped.text, mapped.query) == ("7", None, "c", None)
    assert map_row(Columns(text="body"), row).text == "b"
    with pytest.raises(BadColumn, match="'title' holds a list, expected text"):
        map_row(Columns(title="title"), row)
    with pytest.raises(BadColumn, match=r"'lingo' \(columns\.lang\) is missing"):
        map_row(Columns(lang="lingo"), row)


def test_parent_and_group_come_from_a_column_or_a_pattern_over_the_id() -> None:
    assert reference("page", {"page": 3}, "x") == "3"
    assert reference(r"^(.*)_p\d+$", {}, "NIDDK_0000001_p2") == "NIDDK_0000001"
    assert reference(r"^(.*)_p\d+$", {}, None) is None
    with pytest.raises(BadColumn, match=r"'page'.*is missing"):
        reference("page", {}, "page")


def test_a_document_without_an_id_is_named_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "a"}\n{"text": "a", "lang": "de"}\n')
    first, second = (each.documents[0] for each in read(path, "jsonl", lang="en"))
    assert first.doc_id == second.doc_id
    assert (first.lang, second.lang) == ("en", "de")


SOURCE = b'''"""Ships and how they sail over all seas."""
if True:
    class Sail:
        """A sail of some size that pulls the ship along."""
        async def hoist(self):
            """Hoist it.

                All hands pull on the rope until it is up.
            """
        def _secret(self):
            """Nobody should ever have to read what stands here."""
def short():
    """Too short."""
'''


def test_docstrings_are_found_by_parsing_with_qualified_names() -> None:
    found = docstrings(SOURCE, "ships")
    assert [(each.name, each.kind, each.line) for each in found] == [
        ("ships", "module", 1),
        ("ships.Sail", "class", 4),
        ("ships.Sail.hoist", "function", 6),
        ("ships.Sail._secret", "function", 11),
        ("ships.short", "function", 13),
    ]
    assert found[2].text == "Hoist it.\n\nAll hands pull on the rope until it is up."


def test_private_and_short_docstrings_pass_over_and_bad_files_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "ships.py"
    path.write_bytes(SOURCE)
    found = read(path, "python-docs")
    assert [each.documents[0].title for each in found if each.documents] == ["ships", "ships.Sail", "ships.Sail.hoist"]
    assert sum(each.passed_over for each in found) == 2
    for contents in (b"def (:\n", b"x = '\x00'\n", b"# coding: klingon\n"):
        path.write_bytes(contents)
        (bad,) = read(path, "python-docs")
        assert bad.reject is not None
        assert bad.reject.reason == "unreadable"


def test_module_names_follow_paths() -> None:
    assert module_name("json/decoder.py") == "json.decoder"
    assert module_name("json/__init__.py") == "json"
    assert is_private("a._b.c")
    assert not is_private("a.B.__init__")


@pytest.mark.parametrize(
    ("share", "rows", "allowed"), [(0.01, 50, 1), (0.01, 1000, 10), (0.0, 50, 0), (0.01, 1, 0), (1, 1, 1)]
)
def test_one_unreadable_row_is_tolerated_unless_it_is_all_there_is(share: float, rows: int, allowed: int) -> None:
    assert tolerated(share, rows) == allowed


def test_documents_remember_whether_they_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# T\n\ntext")
    source = Source(path=str(path))
    (found,) = read_file(Place(source, 0, "d", "a.md", None, chunked=True), str(path), "markdown")
    assert isinstance(found.documents[0], FoundDocument)
    assert found.documents[0].markup == "markdown"


@pytest.mark.parametrize("depth", [200, 900, 980, 990, 992, 994, 996, 1_000, 100_000])
def test_json_of_any_depth_is_a_document_or_a_reject(depth: int, tmp_path: Path) -> None:
    nested = '{"id": "deep", "text": "a text", "extra": ' + "[" * depth + "]" * depth + "}\n"
    path = tmp_path / "rows.jsonl"
    path.write_text(nested + '{"id": "flat", "text": "another text"}\n')
    assert texts(read(path, "jsonl")) in (["a text", "another text"], ["another text"])
