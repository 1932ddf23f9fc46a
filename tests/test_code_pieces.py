"""Source code cut into pieces: by Python's syntax, by the layout of any language, and what code says of itself."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.chunking.tokens import estimate_tokens
from oreline.code.comments import comment_above, python_docstring
from oreline.code.languages import BY_NAME, LANGUAGES, language_of
from oreline.code.layout import Layout
from oreline.code.pieces import Piece, source_lines
from oreline.code.python import python_pieces

STDLIB = Path(ast.__file__).parent
PYTHON = '''"""A module."""
import os

LIMIT = 3


# What is near.
@cached
def near(a, b):
    """Says whether two points are near."""
    return abs(a - b) < LIMIT


class Circle(Shape):
    """A circle."""

    sides = 0

    def area(self):
        return 3.14 * self.r ** 2

    @property
    def edge(self):
        return 2 * 3.14 * self.r


if os.name == "nt":
    def only_here():
        return 1
'''
GO = """package cache

import (
	"sync"
	"time"
)

// Get returns what was stored under a key,
// unless it is too old.
func (c *Cache) Get(k string) ([]byte, bool) {
	c.mu.Lock()

	defer c.mu.Unlock()
	return c.m[k], true
}

type Cache struct {
	mu sync.Mutex
	m  map[string][]byte
}
func New() *Cache { return &Cache{} }
"""
JAVA = """package a.b;

/**
 * Draws shapes.
 */
public class Canvas {
    private final int width = 3;

    /** Draws a line between two points. */
    public void line(Point a, Point b) {
        for (int i = 0; i < width; i++) {
            plot(a, b, i);
        }
    }

    @Override
    public String toString() {
        return "Canvas of " + width;
    }
}
"""


def layout(text: str, language: str, budget: int = 400) -> list[Piece]:
    return list(Layout(source_lines(text), BY_NAME[language], budget).pieces())


def named(pieces: list[Piece]) -> dict[str, str]:
    return {each.symbol or f"line {each.first}": each.text for each in pieces}


def test_functions_and_classes_are_pieces_with_their_decorators_and_comments() -> None:
    pieces = list(python_pieces(PYTHON, 400))
    assert [(each.symbol, each.kind) for each in pieces] == [
        (None, "other"),
        ("near", "function"),
        ("Circle", "class"),
        (None, "other"),
        ("only_here", "function"),
    ]
    assert pieces[1].text.startswith("# What is near.\n@cached\ndef near(a, b):")
    assert (pieces[1].first, pieces[1].last) == (7, 11)
    assert pieces[4].text == "def only_here():\n    return 1", "the indentation that all lines share is taken off"


def test_a_class_longer_than_the_budget_is_cut_into_its_head_and_its_methods() -> None:
    pieces = list(python_pieces(PYTHON, 30))
    assert [each.symbol for each in pieces if each.symbol] == [
        "near",
        "Circle",
        "Circle.area",
        "Circle.edge",
        "only_here",
    ]
    found = named(pieces)
    assert found["Circle"].endswith("sides = 0")
    assert found["Circle.edge"].startswith("@property\ndef edge(self):")
    assert [each.kind for each in pieces if each.symbol == "Circle"] == ["class"]


def test_a_function_longer_than_the_budget_is_cut_and_keeps_its_name() -> None:
    body = "\n\n".join(
        f"    first_{number} = read({number})\n    second_{number} = first_{number} + 1" for number in range(20)
    )
    pieces = list(python_pieces(f"def long():\n{body}\n", 60))
    assert len(pieces) > 3
    assert {each.symbol for each in pieces} == {"long"}
    assert all(estimate_tokens(each.text) <= 60 for each in pieces)


def covered(text: str, pieces: list[Piece]) -> bool:
    """Says whether pieces are disjoint, in order, and hold every line that is not blank."""
    lines = source_lines(text)
    held = [number for each in pieces for number in range(each.first, each.last + 1)]
    wanted = [number for number, line in enumerate(lines, start=1) if line.strip()]
    return held == sorted(set(held)) and set(wanted) <= set(held)


@pytest.mark.parametrize("module", ["heapq", "textwrap", "bisect", "queue", "fractions", "calendar", "shlex", "types"])
@pytest.mark.parametrize("budget", [40, 400])
def test_nothing_of_a_file_is_lost_and_no_piece_is_longer_than_lines_allow(module: str, budget: int) -> None:
    text = (STDLIB / f"{module}.py").read_text(encoding="utf-8")
    for pieces in (list(python_pieces(text, budget)), layout(text, "python", budget)):
        assert covered(text, pieces)
        assert len({each.first for each in pieces}) == len(pieces)
        assert all(estimate_tokens(each.text) <= budget or each.first == each.last for each in pieces)


@given(st.text(alphabet="ab{}()\n\t #/*\"'=:;", max_size=200), st.integers(1, 20), st.sampled_from(sorted(BY_NAME)))
def test_any_text_is_cut_without_loss_in_any_language(text: str, budget: int, language: str) -> None:
    assert covered(text, layout(text, language, budget))


def test_layout_tells_definitions_of_other_languages_apart() -> None:
    found = named(layout(GO, "go"))
    assert list(found) == ["line 1", "line 3", "Get", "Cache", "New"]
    assert found["Get"].startswith("// Get returns")
    assert found["Get"].endswith("return c.m[k], true\n}"), "a blank line within a body ends nothing"
    assert found["New"] == "func New() *Cache { return &Cache{} }"


def test_a_long_class_of_another_language_is_cut_into_its_members() -> None:
    pieces = layout(JAVA, "java", 45)
    found = named(pieces)
    assert {"Canvas", "line", "toString"} <= set(found)
    assert found["line"].startswith("/** Draws a line between two points. */\npublic void line")
    assert found["toString"].startswith("@Override\npublic String")


def test_line_ends_of_other_systems_are_counted_as_compilers_do() -> None:
    pieces = list(python_pieces("a = 1\r\ndef f():\r\n    return '\x0c'\r\n", 400))
    assert [(each.symbol, each.first, each.last) for each in pieces] == [(None, 1, 1), ("f", 2, 3)]


def test_languages_are_known_by_the_ending_of_a_name() -> None:
    assert language_of("src/a.PY") == BY_NAME["python"]
    assert language_of("include/a.tar.hpp") == BY_NAME["c++"]
    assert language_of("Makefile") is None
    assert language_of("a.docx") is None
    assert all(ending == ending.lower() and ending.startswith(".") for ending in LANGUAGES)


def test_a_docstring_leaves_its_definition_and_nothing_else_does() -> None:
    found = python_docstring('@cached\ndef near(a, b):\n    """Says it.\n\n    At length.\n    """\n\n    return a < b')
    assert found is not None
    assert found.comment == "Says it.\n\nAt length."
    assert found.code == "@cached\ndef near(a, b):\n    return a < b"


@pytest.mark.parametrize(
    "text",
    [
        'def f():\n    """Only words."""',
        'def f():\n    """Abstract."""\n    raise NotImplementedError("f")',
        'class E(Exception):\n    """An error."""\n    pass',
        "def f():\n    return 1",
        'def f(): "On one line"; return 1',
        '"""A module."""\nx = 1',
        'x = 1\ndef f():\n    """Comes second."""\n    return x',
        "def f(:",
        "",
    ],
)
def test_no_docstring_is_taken_where_nothing_would_be_left_or_none_is_there(text: str) -> None:
    assert python_docstring(text) is None


def test_docstrings_of_the_standard_library_leave_code_that_still_parses() -> None:
    taken = 0
    for piece in python_pieces((STDLIB / "statistics.py").read_text(encoding="utf-8"), 400):
        found = python_docstring(piece.text)
        if found is not None:
            taken += 1
            ast.parse(found.code)
            assert found.comment.split("\n")[0] not in found.code
    assert taken > 10


@pytest.mark.parametrize(
    ("language", "text", "comment", "code"),
    [
        (
            "go",
            "// Get returns it,\n// if it is there.\nfunc Get() {\n}",
            "Get returns it,\nif it is there.",
            "func Get() {\n}",
        ),
        ("java", "/**\n * Draws.\n *\n * @param a a\n */\nvoid d() {\n}", "Draws.\n\n@param a a", "void d() {\n}"),
        ("rust", "/// Adds one.\nfn add() {\n}", "Adds one.", "fn add() {\n}"),
        ("sql", "-- All of it.\nSELECT 1", "All of it.", "SELECT 1"),
        ("ocaml", "(* Adds. *)\nlet f x = x", "Adds.", "let f x = x"),
        ("c", "/* One. */\nint f() {\n}", "One.", "int f() {\n}"),
    ],
)
def test_a_comment_above_code_is_taken_off_with_its_marks(language: str, text: str, comment: str, code: str) -> None:
    found = comment_above(text, BY_NAME[language])
    assert found is not None
    assert (found.comment, found.code) == (comment, code)
    assert comment_above(code, BY_NAME[language]) is None


def test_code_indented_deeper_than_anybody_writes_is_cut_without_loss() -> None:
    text = "\n".join(f"{' ' * depth}step({depth})\n" for depth in range(400))
    pieces = layout(text, "python", 100)
    assert covered(text, pieces)
    assert len(pieces) > 50
