"""Pieces by layout: where indentation and blank lines say that something ends and something else begins.

For languages that have no parser here, and for definitions that are longer than a piece may be. It relies on code
that is formatted as people format it: what belongs together is indented below its head, and blank lines or closing
brackets stand between definitions. Code that is not cut at its definitions is cut at blank lines or between lines.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from oreline.code.languages import Language
from oreline.code.pieces import Kind, Piece, indent_of, limit_of, shown, weight

TINY_SHARE = 8
"""A piece below a definition's head that is shorter than the budget divided by this is joined with its neighbour."""

_CLOSER = re.compile(r"[\])}]|(?:end|fi|done|esac|else|elif|elsif|catch|finally|rescue|ensure|until|while)\b|\{\s*$")
_MODIFIERS = (
    r"(?:(?:export|default|declare|public|private|protected|internal|static|abstract|final|sealed|async|virtual|override|"
    r"inline|extern|unsafe|partial|open|data|case|pub(?:\([^)]*\))?|local|const|mutating|suspend)\s+)*"
)
_NAMED = re.compile(
    rf"\s*{_MODIFIERS}(?P<word>class|struct|interface|trait|impl|enum|object|module|record|protocol|extension|message|type|"
    r"func|function|fun|fn|def|sub|procedure|defmodule|defp|macro_rules!|create\s+(?:or\s+replace\s+)?"
    r"(?:table|view|function|procedure|index|trigger))\s+(?:\([^)]*\)\s*)?(?:<[^>]*>\s*)?(?P<name>[A-Za-z_$][\w$.:]*)",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    rf"\s*{_MODIFIERS}(?:const|let|var|val|local)?\s*(?P<name>[A-Za-z_$][\w$.]*)\s*(?::[^=]+)?(?:=|<-)\s*"
    r"(?:async\s*)?(?:function\b|\([^)]*\)\s*(?::[^=]+)?=>|[A-Za-z_$][\w$]*\s*=>)"
)
_CALLED = re.compile(r"\s*(?:[\w:<>,*&\[\]~.?]+\s+)*[*&]*(?P<name>[A-Za-z_~][\w:~]*)\s*\([^;]*$")
_NO_NAMES = frozenset(
    {"if", "for", "while", "switch", "return", "catch", "else", "sizeof", "assert", "foreach", "match"}
)
_CLASSES = frozenset(
    {
        "class",
        "struct",
        "interface",
        "trait",
        "impl",
        "enum",
        "object",
        "module",
        "record",
        "protocol",
        "extension",
        "type",
    }
)
_HEAD_LINES = 30
_DEEPEST = 12
"""Levels of indentation that are looked at; code that people write has fewer."""
_DECLARED_BY_CALL = frozenset({"c", "c++", "cuda", "java", "c#", "dart", "groovy", "javascript", "typescript", "php"})
"""Languages in which a function may begin without a word for it: `int area(`."""


@dataclass(frozen=True)
class Layout:
    """The lines of a file in a language, to be cut into pieces of at most `budget` estimated tokens."""

    lines: list[str]
    language: Language
    budget: int

    def pieces(self) -> Iterator[Piece]:
        """Yields what stands at the outermost level.

        What is longer than the budget is cut at the next level of indentation at which it can be, its head with the
        first part. Nothing but blank lines is lost. A single line that is longer than the budget stays whole.
        """
        starts = self._starts(0, len(self.lines), min((width for width in self._widths if width >= 0), default=0))
        for first, last in pairwise([*starts, len(self.lines)]):
            yield from self.cut(first, last)

    def cut(self, first: int, last: int, symbol: str | None = None) -> Iterator[Piece]:
        """Yields the pieces of lines `first` to `last` - 1, from 0; `symbol` is what they define, if that is known."""
        for found in self._fitting(first, last):
            start, end = _trimmed(self.lines, *found)
            if start == end:
                continue
            kind, name = head_of(self.lines[start:end], self.language)
            qualified = f"{symbol}.{name}" if symbol and name and start > first else symbol
            yield Piece(start + 1, end, shown(self.lines[start:end]), qualified or name, kind, "layout")

    @cached_property
    def _widths(self) -> list[int]:
        """The width of each line's indentation, -1 for a blank one."""
        return [len(indent_of(line).expandtabs(4)) if line.strip() else -1 for line in self.lines]

    @cached_property
    def _weights(self) -> list[int]:
        """The weight of all lines before each, and of all lines at the end."""
        return [0, *accumulate(weight([line]) for line in self.lines)]

    def _fitting(self, first: int, last: int, depth: int = 0) -> list[tuple[int, int]]:
        """Returns stretches within the budget that cover lines `first` to `last` - 1."""
        if last - first <= 1 or self._weight(first, last) <= limit_of(self.budget):
            return [(first, last)] if last > first else []
        levels = sorted({width for width in self._widths[first:last] if width >= 0}) if depth < _DEEPEST else []
        for level in levels[:_DEEPEST]:
            starts = self._starts(first, last, level)
            if len(starts) > 1:
                stretches = pairwise([*starts, last])
                return self._joined([part for each in stretches for part in self._fitting(*each, depth + 1)])
        middle = self._middle(first, last)
        return [*self._fitting(first, middle, depth), *self._fitting(middle, last, depth)]

    def _joined(self, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Joins tiny parts with the one before them, or the first with the one after it; definitions stay alone."""
        joined: list[tuple[int, int]] = []
        limit = limit_of(self.budget)
        for start, end in parts:
            if joined:
                before, here = self._weight(*joined[-1]), self._weight(start, end)
                tiny = joined[-1] if before < here else (start, end)
                is_tiny = min(before, here) * TINY_SHARE < limit
                if is_tiny and before + here <= limit and head_of(self.lines[slice(*tiny)], self.language)[1] is None:
                    joined[-1] = (joined[-1][0], end)
                    continue
            joined.append((start, end))
        return joined

    def _weight(self, first: int, last: int) -> int:
        return self._weights[last] - self._weights[first]

    def _starts(self, first: int, last: int, level: int) -> list[int]:
        """Returns the lines at which something begins up to a level: after a blank line or what closes another."""
        starts = [first]
        after_end = False
        for place in range(first, last):
            width = self._widths[place]
            if width < 0:
                after_end = True
                continue
            closes = width <= level and _CLOSER.match(self.lines[place].strip()) is not None
            if width <= level and after_end and not closes and place > first:
                starts.append(place)
            after_end = closes
        return starts

    def _middle(self, first: int, last: int) -> int:
        """Returns the line nearest to the middle by length at which lines `first` to `last` - 1 are cut in two."""
        half = (self._weights[first] + self._weights[last]) / 2
        return min(max(bisect_left(self._weights, half, first, last), first + 1), last - 1)


def head_of(lines: list[str], language: Language) -> tuple[Kind, str | None]:
    """Returns what the first lines define, comments passed over, with its name; best effort, None if it is not seen."""
    for line in code_lines(lines, language)[:_HEAD_LINES]:
        if found := _NAMED.match(line):
            kind: Kind = "class" if found["word"].lower() in _CLASSES else "function"
            return kind, found["name"].rstrip(".:")
        found = _ASSIGNED.match(line) or (_CALLED.match(line) if language.name in _DECLARED_BY_CALL else None)
        if found and found["name"] not in _NO_NAMES:
            return "function", found["name"]
        if not line.lstrip().startswith(("@", "[", "#", "template")):
            return "other", None
    return "other", None


def code_lines(lines: list[str], language: Language) -> list[str]:
    """Returns the lines that are neither blank nor comments; a comment behind code stays with it."""
    kept: list[str] = []
    closing: str | None = None
    for line in lines:
        bare = line.strip()
        if closing is not None:
            closing = None if closing in bare else closing
            continue
        opened = next((pair for pair in language.block if bare.startswith(pair[0])), None)
        if opened is not None:
            closing = None if opened[1] in bare[len(opened[0]) :] else opened[1]
        elif bare and not bare.startswith(language.line or ("\0",)):
            kept.append(line)
    return kept


def _trimmed(lines: list[str], first: int, last: int) -> tuple[int, int]:
    """Returns a stretch without the blank lines around it."""
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return first, last
