"""Pieces of a source file: what each becomes, a document of its own."""

import re
from dataclasses import dataclass
from typing import Literal

from oreline.chunking.tokens import QUARTERS, quarter_tokens

Kind = Literal["function", "class", "other"]
_BRACKETS = re.compile(r"(?:[\])}]+[;,]?|end)")
How = Literal["syntax", "layout"]


@dataclass(frozen=True)
class Piece:
    """Lines `first` to `last` of a file, counted from 1.

    `symbol` is the name of what is defined there, qualified within the file; None if it is not known. `how` says
    whether the language's own parser found the piece or its layout: indentation and blank lines.
    """

    first: int
    last: int
    text: str
    symbol: str | None
    kind: Kind
    how: How


def weight(lines: list[str]) -> int:
    """Returns the estimated length of lines in quarters of a token, line ends included."""
    return sum(quarter_tokens(line) + 1 for line in lines)


def limit_of(tokens: int) -> int:
    """Returns a budget in tokens as `weight` counts."""
    return tokens * QUARTERS


def source_lines(source: str) -> list[str]:
    r"""Returns the lines of a file without their ends, as compilers count them: at `\n`, `\r\n` and `\r` alone."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def shown(lines: list[str]) -> str:
    """Returns lines as a document's text: without blank lines around them and without their common indentation.

    Brackets at the end that close what began before the lines, as they stand further out, are left off as well.
    """
    kept = list(lines)
    while kept and not kept[0].strip():
        kept.pop(0)
    while kept and (not kept[-1].strip() or _closes_what_began_before(kept)):
        kept.pop()
    margin = min((indent_of(line) for line in kept if line.strip()), key=len, default="")
    if all(line.startswith(margin) for line in kept if line.strip()):
        kept = [line[len(margin) :] for line in kept]
    return "\n".join(kept)


def _closes_what_began_before(lines: list[str]) -> bool:
    outer = len(indent_of(lines[-1])) < len(indent_of(lines[0]))
    return len(lines) > 1 and outer and _BRACKETS.fullmatch(lines[-1].strip()) is not None


def indent_of(line: str) -> str:
    """Returns the white space that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]
