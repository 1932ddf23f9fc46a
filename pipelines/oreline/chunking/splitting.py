"""Cuts a text into pieces within a budget; the pieces put together are the text."""

import re
from collections.abc import Iterator, Sequence

from oreline.chunking.tokens import QUARTERS, quarter_tokens

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n?", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_LEVELS: tuple[re.Pattern[str], ...] = (
    _BLANK_LINES,
    re.compile(r"\n(?=[ \t]*(?:[-*+|>]|\d+[.)])[ \t])"),  # an item of a list, a row of a table, a quoted line
    re.compile(r"[.!?\u2026\u061f\u06d4\u0964][\"'\u201d\u2019)\]]*\s+|[\u3002\uff01\uff1f][\u300d\u300f\u201d]?"),
    re.compile(r"\n"),
    re.compile(r"\s+"),
)
_LINE_LEVEL = 3


def split(text: str, budget: int) -> list[str]:
    """Returns consecutive pieces of `text`, each of at most `budget` estimated tokens.

    Cuts at blank lines outside of fenced code where that suffices, else between items of a list, then between
    sentences, lines, words, and at last between characters. A fence is cut only if it is longer than the budget, and
    then between lines. Pieces are of about equal length; "".join(pieces) == text.
    """
    limit = budget * QUARTERS
    if quarter_tokens(text) <= limit:
        return [text] if text else []
    parts: list[str] = []
    for block, fenced in _blocks(text):
        parts.extend(_pieces(block, limit, _LINE_LEVEL if fenced else 1))
    return _pack(parts, limit)


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Yields paragraphs with the blank lines after them, and fenced code blocks; True for the latter."""
    for stretch, fenced in _fenced(text):
        if fenced:
            yield stretch, True
        else:
            for block in _cut(stretch, _LEVELS[0]):
                yield block, False


def _fenced(text: str) -> Iterator[tuple[str, bool]]:
    start = 0
    fence: tuple[int, str] | None = None
    for match in _FENCE.finditer(text):
        mark = match.group(1)
        if fence is None:
            if start < match.start():
                yield text[start : match.start()], False
            fence, start = (match.start(), mark), match.start()
        elif closes(fence[1], match.group().strip()):
            yield text[start : match.end()], True
            fence, start = None, match.end()
    if start < len(text):
        yield text[start:], fence is not None


def closes(opening: str, line: str) -> bool:
    """Says whether a stripped line closes the fence that the mark `opening` opened (CommonMark 0.31, 4.5)."""
    return len(line) >= len(opening) and not line.strip(opening[0])


def _pieces(text: str, limit: int, level: int) -> list[str]:
    if quarter_tokens(text) <= limit:
        return [text]
    if level == len(_LEVELS):
        step = max(1, limit // QUARTERS)  # no character counts more than four quarters
        return [text[start : start + step] for start in range(0, len(text), step)]
    parts: list[str] = []
    for part in _cut(text, _LEVELS[level]):
        parts.extend(_pieces(part, limit, level + 1))
    return _pack(parts, limit)


def _cut(text: str, boundary: re.Pattern[str]) -> Iterator[str]:
    """Yields the stretches between boundaries, each with the boundary that ends it."""
    start = 0
    for match in boundary.finditer(text):
        yield text[start : match.end()]
        start = match.end()
    if start < len(text):
        yield text[start:]


def _pack(parts: Sequence[str], limit: int) -> list[str]:
    """Joins neighbours up to the limit, evenly: a last piece of two words would be a poor document."""
    weights = [quarter_tokens(part) for part in parts]
    total = sum(weights)
    target = total / max(1, -(-total // limit))
    packed: list[str] = []
    current: list[str] = []
    held = 0
    for part, weight in zip(parts, weights, strict=True):
        # Ends here if the part does not fit, or if stopping now is nearer to an even share than going on.
        if current and (held + weight > limit or held + weight / 2 > target):
            packed.append("".join(current))
            current, held = [], 0
        current.append(part)
        held += weight
    if current:
        packed.append("".join(current))
    return packed
