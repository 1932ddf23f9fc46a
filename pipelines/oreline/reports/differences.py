"""Differences: what two nearly equal texts do not share, word by word, as a terminal or a pipe shows it."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from oreline.reports.plain import visible
from oreline.scripts import UNSPACED

Kind = Literal["same", "removed", "added", "left_out"]

CHARACTERS = 10_000
"""Characters of each text that are compared; rejects hold no more of theirs."""

_WORD = re.compile(f"\\s*(?:[{UNSPACED}]|[^\\s{UNSPACED}]+)")
_COMPARED_WORDS = 1_500
_CONTEXT = 8
_SHOWN_WORDS = 160
_STYLES: dict[Kind, str] = {"same": "", "removed": "red strike", "added": "green", "left_out": "dim"}
_MARKS: dict[Kind, tuple[str, str]] = {"removed": ("[-", "-]"), "added": ("{+", "+}")}


@dataclass(frozen=True)
class Piece:
    """A run of words: in both texts, in the keeper alone (removed), in the other alone (added), or not shown."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Difference:
    """Pieces to print: in colours, or where a console has none with the marks `[-removed-]` and `{+added+}`."""

    pieces: tuple[Piece, ...]

    @property
    def differs(self) -> bool:
        """Says whether any word stands in one text only."""
        return any(piece.kind in ("removed", "added") for piece in self.pieces)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields one text."""
        del options  # the text wraps by itself
        marked = console.color_system is None or console.no_color
        text = Text(overflow="fold")
        for piece in self.pieces:
            before, after = _MARKS.get(piece.kind, ("", "")) if marked else ("", "")
            inner = piece.text.lstrip(" ")
            text.append(" " * (len(piece.text) - len(inner)))
            text.append(f"{before}{inner}{after}", style="" if marked else _STYLES[piece.kind])
        yield text


def difference(keeper: str, other: str) -> Difference:
    """Returns what stands in one of two texts and not in the other, with 8 words of context around each difference.

    Words are what white space separates; in scripts without spaces, characters. Only the first 10,000 characters of
    each are looked at, of those 1,500 words after the first difference, and 160 words are shown: the work is bounded
    whatever the texts are.
    """
    cut_short = max(len(keeper), len(other)) >= CHARACTERS
    pieces = _pieces(_words(keeper), _words(other))
    if cut_short:
        # The ends differ because they were cut in different places.
        while pieces and pieces[-1].kind != "same":
            pieces.pop()
        pieces.append(Piece("left_out", " …"))
    return Difference(tuple(_shortened(pieces)))


def _words(text: str) -> list[str]:
    """Returns words, each with one space before it if white space stands there."""
    found = _WORD.findall(text[:CHARACTERS])
    if len(text) >= CHARACTERS:
        found = found[:-1]  # it may be cut in two
    return [f" {visible(word)}" if word[0].isspace() else visible(word) for word in found]


def _pieces(one: Sequence[str], other: Sequence[str]) -> list[Piece]:
    first = _common([word.strip() for word in one], [word.strip() for word in other])
    left, right = one[first:], other[first:]
    last = _common([word.strip() for word in reversed(left)], [word.strip() for word in reversed(right)])
    ending = right[len(right) - last :]
    left, right = left[: len(left) - last], right[: len(right) - last]
    pieces = [Piece("same", "".join(other[:first]))]
    a, b = left[:_COMPARED_WORDS], right[:_COMPARED_WORDS]
    matcher = difflib.SequenceMatcher(None, [word.strip() for word in a], [word.strip() for word in b])
    for tag, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(b[b_start:b_end])))
            continue
        pieces += [Piece("removed", "".join(a[a_start:a_end])), Piece("added", "".join(b[b_start:b_end]))]
    pieces += [Piece("removed", "".join(left[_COMPARED_WORDS:])), Piece("added", "".join(right[_COMPARED_WORDS:]))]
    pieces.append(Piece("same", "".join(ending)))
    return [piece for piece in pieces if piece.text]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns the number of equal words at the beginning."""
    number = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        number += 1
    return number


def _shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """Returns the pieces with the middle of long equal runs left out, at most so many words of all of them."""
    shown: list[Piece] = []
    room = _SHOWN_WORDS
    for place, piece in enumerate(pieces):
        words = _WORD.findall(piece.text)
        ends = (_CONTEXT if place else 0, _CONTEXT if place + 1 < len(pieces) else 0)
        if piece.kind == "same" and len(words) > sum(ends) + 2:
            left_out = Piece("left_out", " …" if place else "…")
            tail = Piece("same", "".join(words[len(words) - ends[1] :]))
            shown += [Piece("same", "".join(words[: ends[0]])), left_out, tail]
            room -= sum(ends)
        else:
            shown.append(Piece(piece.kind, "".join(words[:room])))
            room -= len(words)
        if room <= 0:
            shown.append(Piece("left_out", " …"))
            break
    return [piece for piece in shown if piece.text]
