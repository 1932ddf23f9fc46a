"""Layout: which lines of a text are running prose, and which are code, tables, headings or fields."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["prose", "other"]

_FENCE = re.compile(r"\s*(```|~~~)")
_DOCTEST = re.compile(r"\s*(>>>|\.\.\.(?=\s|$)|\$ |In \[\d+\])")
_HEADING = re.compile(r"\s*#{1,6}\s")
_UNDERLINE = re.compile(r"\s*([=\-~^\"'*+#_`.:])\1{2,}\s*$")
_FIELD = re.compile(
    r"\s*(:::|:[A-Za-z][^:\n]{0,60}:(\s|$)|@\w+\s|\.\.\s|[-*+]?\s*`?[\w*.]+`?\s*(\([^()\n]*\)\s*)?(--|->)\s)"
)
_LABEL = re.compile(r"\s*(?:[a-z*][\w*]*:\s|(?:\S+\s+){0,2}\S+:\s*$)")
_SIGNATURE = re.compile(
    r"\s*(async |def |class |await |return |import |from \w+ import )?[\w.]+\([^\n]*\)\s*(->.*|:)?\s*$"
)
_BULLET = re.compile(r"(\s*)([-*+•‣◦·]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True)
class Block:
    """Consecutive characters of a text, `start` to `end`, that are laid out alike."""

    start: int
    end: int
    kind: Kind


def blocks(text: str) -> Iterator[Block]:
    """Yields blocks that cover a text without gap or overlap: paragraphs and list items, and what is no prose."""
    start = end = 0
    open_kind: Kind | None = None
    for line, kind, begins in _lines(text):
        if open_kind is not None and (begins or kind != open_kind):
            yield Block(start, end, open_kind)
            start = end
        open_kind = kind
        end += len(line)
    if open_kind is not None:
        yield Block(start, end, open_kind)


def _lines(text: str) -> Iterator[tuple[str, Kind, bool]]:
    """Yields (line with its end, kind, whether a block begins with it)."""
    lines = text.splitlines(keepends=True)
    fenced = doctest = False
    literal_from: int | None = None
    after_blank = True
    for number, line in enumerate(lines):
        stripped = line.strip()
        following = lines[number + 1] if number + 1 < len(lines) else ""
        indent = _width(line)
        if literal_from is not None and stripped and indent <= literal_from:
            literal_from = None
        if not stripped:
            doctest = False
            yield line, "other", False
        elif _FENCE.match(line):
            fenced = not fenced
            yield line, "other", not after_blank and fenced
        elif fenced or literal_from is not None or doctest or _DOCTEST.match(line):
            doctest = doctest or (not fenced and literal_from is None)
            yield line, "other", False
        elif _is_furniture(line, following):
            yield line, "other", False
        else:
            yield line, "prose", after_blank or _BULLET.match(line) is not None
        if literal_from is None and stripped.endswith("::"):
            literal_from = indent
        after_blank = not stripped


def _is_furniture(line: str, following: str) -> bool:
    """Says whether a line is a heading, rule, table row, field, label or signature."""
    if any(pattern.match(line) for pattern in (_HEADING, _UNDERLINE, _FIELD, _LABEL, _SIGNATURE)):
        return True
    return (
        (_UNDERLINE.match(following) is not None and bool(line.strip())) or line.count("|") > 1 or "\t" in line.strip()
    )


def _width(line: str) -> int:
    found = _INDENT.match(line)
    return len(found.group().expandtabs()) if found else 0


def bullet_length(text: str) -> int:
    """Returns how many characters a list item's mark takes at the start of a block, 0 if there is none."""
    found = _BULLET.match(text)
    return found.end() if found else 0
