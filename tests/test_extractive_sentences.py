"""Sentences and layout: nothing is lost, and cuts stand where a reader would make them."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oreline.extractive.layout import blocks
from oreline.extractive.sentences import sentences

MARKS = [
    *("\n", "\n\n", ". ", "。", "؟ ", "। ", "```\n", ">>> x\n", "- ", "::\n\n    ", "Dr. ", "e.g. ", "\r\n", "# "),
    *("====\n", "😀", "\u2028", "שלום. ", ":param x: y\n", "...\n", "\t", "| a | b |\n"),
]
PIECES = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(MARKS)), max_size=30).map("".join)


@given(PIECES)
@example("a.\r\n\r\nB")
@example("\x0b\x1c\u2029")
def test_sentences_are_the_whole_text_in_order(text: str) -> None:
    found = sentences(text)
    assert "".join(text[each.start : each.end] for each in found) == text
    assert all(each.start < each.end for each in found)


@given(PIECES)
def test_blocks_cover_a_text_without_gap_or_overlap(text: str) -> None:
    assert "".join(text[each.start : each.end] for each in blocks(text)) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One comes first. Two follows! Is three last? Yes.", 4),
        ("Dr. Meyer met Mrs. Ito, e.g. in Bonn. They spoke.", 2),
        ("J. R. R. Tolkien wrote it in the U.S. Army camp. Really.", 2),
        ("It costs 3.50 euros. That is cheap.", 2),
        ("Am 3. Mai kam er, d.h. am Montag. Dann ging er.", 2),
        ("今天天气很好。我们去公园吧！你来吗？", 3),
        ("彼は「行く。」と言った。そして帰った。", 3),
        ("ما هذا؟ هذا كتاب. إنه جديد.", 3),
        ("यह एक किताब है। वह घर है।", 2),
        ('He said "Stop." Then he left (quietly.) And so on.', 3),
        ("see the file a.txt. it is small", 1),
        ("", 0),
    ],
)
def test_a_text_is_cut_at_its_sentence_ends(text: str, wanted: int) -> None:
    assert len([each for each in sentences(text) if each.kind == "prose"]) == wanted


def test_a_wrapped_line_does_not_end_a_sentence_but_a_paragraph_and_a_list_item_do() -> None:
    text = "A sentence that goes\non in the next line\n\nA paragraph\n- first item\n- second item\n"
    prose = [text[each.start : each.end] for each in sentences(text) if each.kind == "prose"]
    assert prose == [
        "A sentence that goes\non in the next line\n",
        "A paragraph\n",
        "- first item\n",
        "- second item\n",
    ]


@pytest.mark.parametrize(
    "furniture",
    [
        ">>> heappush(heap, item)\n[1, 2]\n",
        "```python\nThis is inside a fence.\n```\n",
        "# A heading\n",
        "Heading\n=======\n",
        ":param name: what it is called\n",
        "wrap(text : string) -> [string]\n",
        "| Name | Size |\n",
        "width (default: 70)\nArguments:\n",
    ],
)
def test_code_tables_headings_and_fields_are_no_prose(furniture: str) -> None:
    text = f"Here is some prose.\n\n{furniture}\n"
    prose = "".join(text[each.start : each.end] for each in sentences(text) if each.kind == "prose")
    if furniture.startswith("width"):
        assert "Arguments" not in prose
    else:
        assert prose == "Here is some prose.\n"


def test_an_indented_block_after_two_colons_is_code_until_the_indent_ends() -> None:
    text = "Use it so::\n\n    This is code.\n\n    And this.\n\nProse again.\n"
    prose = [text[each.start : each.end].strip() for each in sentences(text) if each.kind == "prose"]
    assert prose[-1] == "Prose again."
    assert not any("code" in each or "And this" in each for each in prose)
