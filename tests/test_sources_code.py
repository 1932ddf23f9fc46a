"""Folders of source code: functions and classes as documents, with path, lines and language."""

import json
from pathlib import Path

import pytest

from oreline.cli import main
from oreline.errors import RecipeError
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Recipe, Source
from oreline.records import Document, FateRow, Reject
from oreline.sources.discovery import chunking_of, find_files, guess_format
from oreline.tables.manifest import Manifest

from house import rows_of, run_stage

SHAPES = '''"""Shapes."""
import math

SIDES = {"square": 4, "triangle": 3, "hexagon": 6, "octagon": 8, "pentagon": 5, "line": 1}


def area(radius):
    """Return the area of a circle with this radius."""
    half = radius / 2
    return math.pi * half ** 2


def tiny():
    pass
'''
METHOD = """
    def part_{0}(self):
        first = {0} + self.width
        return first * {0} - self.height
"""
LONG = 'class Long:\n    """All of it."""\n' + "".join(METHOD.format(number) for number in range(12))
OLD = "print 'two'\n\ndef area(radius):\n    half = radius / 2\n    print half\n    return 3.14 * half ** 2\n"
STORE = """import { open } from "db";

// Keeps a value under a key until it is asked for again.
export async function keep(key, value) {
  const db = await open();
  await db.put(key, value);
  return key;
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    for name, text in {
        "src/shapes.py": SHAPES,
        "web/store.js": STORE,
        "web/app.min.js": f"var a={{{'x:1,' * 500}}};\n",
        "node_modules/left.js": STORE,
        "old.py": OLD,
        "README.md": "# Shapes\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def ingested(folder: Path, output: Path, **source: object) -> tuple[Manifest, list[Document]]:
    recipe = Recipe.model_validate(
        {"output": str(output), "sources": [{"path": str(folder), "format": "code", **source}]}
    )
    return run_stage(recipe, "ingest"), rows_of(output, "ingest", "documents", Document)


def test_functions_become_documents_of_code_with_their_place(folder: Path, tmp_path: Path) -> None:
    manifest, documents = ingested(folder, tmp_path / "out")
    by_title = {each.title: each for each in documents}
    assert set(by_title) == {
        "src/shapes.py > area",
        "src/shapes.py",
        "web/store.js > keep",
        "old.py > area",
    }
    area = by_title["src/shapes.py > area"]
    assert area.doc_id == "repo/src/shapes.py:7-10"
    assert (area.content, area.parent_id, area.position) == ("code", "repo/src/shapes.py", 1)
    assert area.text.startswith("def area(radius):")
    assert json.loads(area.metadata or "") == {
        "path": "src/shapes.py",
        "language": "python",
        "symbol": "area",
        "kind": "function",
        "first_line": 7,
        "last_line": 10,
        "cut_by": "syntax",
    }
    assert json.loads(by_title["web/store.js > keep"].metadata or "")["language"] == "javascript"
    assert json.loads(by_title["old.py > area"].metadata or "")["cut_by"] == "layout", "Python 2 has no parser here"
    assert manifest.books.kept.count == 4
    assert manifest.books.passed_over.count == 4, "tiny, the import, the print and the minified file"
    assert rows_of(tmp_path / "out", "ingest", "fates", FateRow) == []


def test_what_cannot_be_read_is_rejected_with_the_byte(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.c").write_bytes(b"int a = 3; // \xff\n")
    _, documents = ingested(folder, tmp_path / "out", reject_share=0.5)
    assert len(documents) == 4
    (reject,) = rows_of(tmp_path / "out", "ingest", "rejects", Reject)
    assert (reject.row_id, reject.reason) == ("repo/bad.c", "unreadable")
    assert "position 14" in reject.detail


@pytest.mark.parametrize("codec", ["hex", "rot13", "undefined", "raw_unicode_escape"])
def test_a_file_that_names_a_codec_which_gives_no_text_is_rejected(folder: Path, tmp_path: Path, codec: str) -> None:
    (folder / "odd.py").write_bytes(f"# coding: {codec}\ndef area(radius):\n    return '\\ud800'\n".encode())
    ingested(folder, tmp_path / "out", reject_share=1.0)
    (reject,) = (each for each in rows_of(tmp_path / "out", "ingest", "rejects", Reject) if "odd.py" in each.row_id)
    assert reject.reason == "unreadable"


def test_the_budget_is_that_of_chunks_and_content_may_be_set(folder: Path, tmp_path: Path) -> None:
    (folder / "long.py").write_text(LONG, encoding="utf-8")
    _, whole = ingested(folder, tmp_path / "whole", content="text")
    _, cut = ingested(folder, tmp_path / "cut", chunking={"tokens": 60})
    assert [each.title for each in whole if each.title and each.title.startswith("long")] == ["long.py > Long"]
    assert {each.content for each in whole} == {"text"}
    assert {f"long.py > Long.part_{number}" for number in range(12)} <= {each.title for each in cut}


def test_a_folder_of_code_is_read_as_code_only_where_the_recipe_says_so(folder: Path) -> None:
    source = Source(path=str(folder / "web"))
    with pytest.raises(RecipeError, match=r"it holds code files.*set sources\[\]\.format"):
        guess_format(source)
    with pytest.raises(RecipeError, match="it holds code files"):
        guess_format(Source(path=str(folder / "web" / "store.js")))
    assert guess_format(Source(path=str(folder / "src"))) == "python-docs"
    code = Source(path=str(folder), format="code")
    assert [each.relative for each in find_files(code)] == ["old.py", "src/shapes.py", "web/app.min.js", "web/store.js"]
    assert chunking_of(code, "code") is not None
    assert (code.holds, source.holds) == ("code", "text")


def test_init_writes_the_format_of_a_folder_of_code(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", str(folder / "web")]) == 0
    assert load_recipe("recipe.yaml").recipe.sources[0].format == "code"
