"""Chunks of a document: pieces within a token budget, each with a title that says where it stood."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from oreline.chunking.markdown import Section, sections
from oreline.chunking.splitting import split
from oreline.chunking.tokens import QUARTERS, quarter_tokens

Markup = Literal["markdown", "plain"]

TINY_SHARE = 8
"""A chunk shorter than the budget divided by this is joined with a neighbour if it can be."""


@dataclass(frozen=True)
class Chunk:
    """A piece of a document; `title` is the document's title and the headings above it, joined by ` > `."""

    title: str | None
    text: str


@dataclass(frozen=True)
class _Piece:
    """A chunk in the making; `line` is the heading that its title states, for when a join takes it from the title."""

    path: tuple[str, ...]
    line: str
    text: str

    @cached_property
    def weight(self) -> int:
        return quarter_tokens(self.line) + quarter_tokens(self.text)


def chunk_document(title: str | None, text: str, markup: Markup, budget: int) -> list[Chunk]:
    """Cuts a document into chunks of at most `budget` estimated tokens, title left out.

    Nothing but white space is lost: a heading stands in the title of the chunk that begins with it, and in the text
    of a chunk that covers several. Returns no chunk for a blank text.
    """
    if markup == "plain":
        pieces = [_Piece((), "", piece) for piece in split(text, budget)]
    else:
        pieces = _join(list(_pieces(sections(text), budget)), budget * QUARTERS)
    return [Chunk(_title(title, piece.path), body) for piece in pieces if (body := _trim(piece.text))]


def _pieces(found: Sequence[Section], budget: int) -> Iterator[_Piece]:
    for index, section in enumerate(found):
        if section.body.strip():
            for place, text in enumerate(split(section.body, budget)):
                if text.strip():
                    yield _Piece(section.path, section.line if place == 0 else "", text)
        elif section.line and not _has_child(found, index):
            for text in split(section.line, budget):  # a heading with nothing below it is all the text there is
                yield _Piece(section.path, "", text)


def _has_child(found: Sequence[Section], index: int) -> bool:
    """Says whether the heading appears in the path of the next section, so that it need not stand for itself."""
    here = found[index]
    return index + 1 < len(found) and found[index + 1].level > here.level


def _join(pieces: list[_Piece], limit: int) -> list[_Piece]:
    """Joins tiny pieces with a neighbour under the same heading, from left to right."""
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and _belong(joined[-1], piece, limit):
            joined[-1] = _both(joined[-1], piece)
        else:
            joined.append(piece)
    return joined


def _belong(left: _Piece, right: _Piece, limit: int) -> bool:
    if left.weight + right.weight + 4 > limit:
        return False
    left_tiny, right_tiny = left.weight * TINY_SHARE < limit, right.weight * TINY_SHARE < limit
    if len(right.path) > len(left.path) + 1:  # a heading between the two has no piece that would hold its line
        return False
    below = right.path[: len(left.path)] == left.path
    if below:  # the same section, or one inside it: the title stays true, but a large section is to keep its own
        return right_tiny or (left_tiny and left.path == right.path)
    beside = len(right.path) == len(left.path) and right.path[:-1] == left.path[:-1]
    return left_tiny and right_tiny and beside


def _both(left: _Piece, right: _Piece) -> _Piece:
    path = tuple(a for a, b in zip(left.path, right.path, strict=False) if a == b)
    path = left.path if right.path[: len(left.path)] == left.path else path[: len(left.path) - 1]
    keeps_line = path == left.path
    head = "" if keeps_line else left.line
    return _Piece(
        path, left.line if keeps_line else "", "\n".join([head + left.text.rstrip(), "", right.line + right.text])
    )


def _title(title: str | None, path: tuple[str, ...]) -> str | None:
    names = [name for name in path if name]
    if title and not (names and names[0].casefold() == title.casefold()):
        names.insert(0, title)
    return " > ".join(names) or None


def _trim(text: str) -> str:
    """Drops blank lines around a text; the first line's indentation stays, as code needs it."""
    lines = text.rstrip().split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), len(lines))
    return "\n".join(lines[first:])
