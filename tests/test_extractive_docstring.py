"""The writer extractive/docstring: what counts as a description, and that its words are gone from the code."""

import ast
import json
from pathlib import Path

import pytest

from oreline.extractive.docstring import first_paragraph
from oreline.extractive.rows import extract
from oreline.normalise import content_hash, text_hash
from oreline.recipe.settings import Source
from oreline.records import Document
from oreline.scripts import one_line
from oreline.sources.code_files import read_code
from oreline.sources.documents import hashed
from oreline.sources.found import Place

NEAR = '''def near(a, b):
    """Say whether two points are near.

    :param a: one.
    """
    gap = a - b
    return gap < 3'''
JAVA = """/**
 * Says whether two {@link Point} values are near.
 *
 * @param a one
 */
boolean near(Point a) {
  return a < 3;
}"""
COPYRIGHT = "// Copyright 2020 by all of us, under this licence.\nint a = 3;\nint b = 4;"


def code(text: str, **metadata: str) -> Document:
    return hashed(Document("d/a.py:1-5", "d", text, "", "", "a.py > near", "code", metadata=json.dumps(metadata)))


def test_the_description_is_the_query_and_the_code_without_it_the_positive() -> None:
    found = extract("extractive/docstring", code(NEAR, language="python"), 13)
    assert found is not None
    assert found.derived is not None
    assert found.query.query == "Say whether two points are near."
    assert (found.query.task_type, found.query.origin) == ("code_retrieval", "extractive")
    assert found.derived.text == "def near(a, b):\n    gap = a - b\n    return gap < 3"
    assert (found.derived.doc_id, found.derived.parent_id) == ("d/a.py:1-5#docstring", "d/a.py:1-5")
    assert (found.derived.content, found.derived.searchable, found.derived.title) == ("code", False, "a.py > near")
    assert found.derived.content_hash == content_hash("a.py > near", found.derived.text, "code")
    assert found.derived.text_hash == text_hash(found.derived.text, "code")
    assert found.pair.doc_id == found.derived.doc_id


@pytest.mark.parametrize(
    "document",
    [
        code(NEAR.replace("Say whether two points are near.", "Near."), language="python"),
        code(NEAR.replace("Say whether", "TODO say whether"), language="python"),
        code(NEAR.replace("gap = a - b", "gap = a - b  # say whether two points are near."), language="python"),
        code('class E(Error):\n    """Raised when two points are near."""', language="python"),
        code("// Says whether two points are near.\nint near();", language="c", kind="function"),
        code(COPYRIGHT, language="c", kind="function"),
        code("/* What follows are the sizes of all things. */\nint a = 3;\nint b = 4;", language="c", kind="other"),
        code("ls -l | wc -l"),
        Document("d/a", "d", NEAR, "", ""),
    ],
)
def test_what_says_too_little_or_says_it_twice_gives_no_pair(document: Document) -> None:
    assert extract("extractive/docstring", document, 13) is None


def test_comments_above_functions_of_other_languages_are_descriptions_too() -> None:
    found = extract("extractive/docstring", code(JAVA, language="Java", kind="function"), 13)
    assert found is not None
    assert found.derived is not None
    assert found.query.query == "Says whether two Point values are near."
    assert found.derived.text.startswith("boolean near")


@pytest.mark.parametrize(
    ("comment", "query"),
    [
        ("Say whether two :class:`~a.Point` values are ``near``.", "Say whether two a.Point values are near."),
        ("----------\nSay whether two points are near.\n----------", "Say whether two points are near."),
        ("Say whether two points\nare near.\n\nMore of it.", "Say whether two points are near."),
        ("Say whether two points are near.\nArgs:\n  a: one", "Say whether two points are near."),
        ("Say whether two points are near.\n>>> near(1, 2)", "Say whether two points are near."),
        ("See also near and far of it.", None),
        ("-> sub CPAN::Author::fullname ;", None),
        ("a = b + c; d = e[f](g) ** 3", None),
        ("word " * 80, None),
        ("", None),
    ],
)
def test_a_description_is_the_first_paragraph_if_it_reads_as_one(comment: str, query: str | None) -> None:
    assert first_paragraph(comment) == query


def test_the_standard_library_gives_pairs_in_which_no_query_stands_in_its_positive() -> None:
    path = str(Path(ast.__file__).parent / "textwrap.py")
    place = Place(Source(path=path, format="code"), 0, "std", "textwrap.py", None, chunked=True)
    found = [
        pair
        for row in read_code(place, path)
        for each in row.documents
        if (pair := extract("extractive/docstring", code(each.text, language="python"), 1)) is not None
    ]
    assert len(found) >= 4
    for each in found:
        assert each.derived is not None
        assert each.query.query.casefold() not in one_line(each.derived.text).casefold()
        ast.parse(each.derived.text)
