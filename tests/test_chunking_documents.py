"""Chunking keeps all text, keeps to its budget, and gives titles that say where a chunk stood."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.chunking.chunks import chunk_document
from oreline.chunking.markdown import parse_page, sections
from oreline.chunking.splitting import split
from oreline.chunking.tokens import estimate_tokens

LINES = st.sampled_from(
    [
        "# One", "## Two", "### Three", "Four\n====", "", "", "```python", "```", "~~~", "# not `code`", "- item one",
        "1. item", "| a | b |", "A sentence. And another one! 你好。再见。", "word " * 30, "x" * 70, "    indented",
        "שלום עולם", "👩‍👩‍👧 emoji", "ก" * 40, "---", "* * *",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.lists(LINES, max_size=30).map("\n".join), st.text(max_size=300))


def words(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(TEXTS, st.integers(1, 60))
def test_pieces_put_together_are_the_text_and_each_is_within_the_budget(text: str, budget: int) -> None:
    pieces = split(text, budget)
    assert "".join(pieces) == text
    assert all(estimate_tokens(piece) <= budget for piece in pieces)


@given(TEXTS)
def test_sections_put_together_are_the_page(text: str) -> None:
    body = parse_page(text).body
    assert "".join(section.line + section.body for section in sections(body)) == body


@given(TEXTS, st.integers(5, 60))
@settings(deadline=None)
def test_a_plain_document_loses_nothing_but_white_space(text: str, budget: int) -> None:
    chunks = chunk_document("T", text, "plain", budget)
    assert "".join(words(chunk.text) for chunk in chunks) == words(text)


@given(st.lists(LINES, max_size=30).map("\n".join), st.integers(5, 60))
@settings(deadline=None)
def test_a_markdown_document_loses_no_line_and_keeps_to_its_budget(text: str, budget: int) -> None:
    chunks = chunk_document(None, text, "markdown", budget)
    bodies = words("".join(section.body for section in sections(text)))
    kept = iter("".join(words(chunk.text) for chunk in chunks))
    assert all(sign in kept for sign in bodies), "the bodies are a subsequence of the chunks, in order"
    names = " ".join(f"{chunk.title} {chunk.text}" for chunk in chunks)
    for section in sections(text):
        assert not section.path or section.path[-1] in names or words(section.path[-1]) in words(names).replace("`", "")
    assert all(estimate_tokens(chunk.text) <= budget for chunk in chunks)


def test_a_title_holds_the_headings_above_and_the_text_does_not_repeat_the_last() -> None:
    page = parse_page("---\ntitle: 'Ships'\n---\n# Ships\n\nAll about ships.\n\n## Sails\n\n" + "Sails pull. " * 200)
    chunks = chunk_document(page.title, page.body, "markdown", 100)
    assert page.front_matter == "title: 'Ships'\n"
    assert [chunk.title for chunk in chunks][:2] == ["Ships", "Ships > Sails"]
    assert chunks[0].text == "All about ships."
    assert chunks[1].text.startswith("Sails pull.")


def test_a_fence_is_not_cut_where_it_fits() -> None:
    code = "```\n# no heading\n\n" + "call()\n\n" * 20 + "```"
    text = "Before. " * 40 + "\n\n" + code + "\n\n" + "After. " * 40
    assert any(code in chunk.text for chunk in chunk_document(None, text, "markdown", 90))


def test_a_fence_longer_than_the_budget_is_cut_between_lines() -> None:
    lines = [f"line_{number} = {number}" for number in range(200)]
    chunks = chunk_document(None, "```\n" + "\n".join(lines) + "\n```", "markdown", 50)
    assert len(chunks) > 1
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == ["```", *lines, "```"]


def test_tiny_neighbours_under_one_heading_are_joined_with_their_headings() -> None:
    text = "# Notes\n\n" + "\n\n".join(f"## v{number}\n\nFixed {number}." for number in range(3))
    assert [(chunk.title, chunk.text) for chunk in chunk_document("Notes", text, "markdown", 400)] == [
        ("Notes", "## v0\n\nFixed 0.\n\n## v1\n\nFixed 1.\n\n## v2\n\nFixed 2.")
    ]


def test_a_large_section_keeps_its_title_beside_a_tiny_sibling() -> None:
    text = f"# Doc\n\n## Large\n\n{'Many words here. ' * 40}\n\n## Licence\n\nMIT."
    titles = [chunk.title for chunk in chunk_document("Doc", text, "markdown", 400)]
    assert titles == ["Doc > Large", "Doc > Licence"]


def test_tokens_are_four_characters_or_one_in_scripts_without_spaces() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("abcde") == 2
    assert estimate_tokens("你好吗") == 3
    assert estimate_tokens("สวัสดี") == 6
    assert estimate_tokens("שלום") == 1


def test_a_page_without_front_matter_is_named_by_its_opening_heading_else_its_file() -> None:
    assert parse_page("# The `Title` of [it](u) {#a}\n\ntext", "file").title == "The Title of it"
    assert parse_page("text first\n\n# Later", "file name").title == "file name"
    assert parse_page("# One\n\n# Two", None).title == "One"
    assert parse_page("only text", None).title is None


def test_a_document_of_fifty_megabytes_is_cut_in_seconds() -> None:
    chunks = chunk_document("Long", "A sentence of words. " * 2_400_000, "markdown", 400)
    assert len(chunks) > 30_000
