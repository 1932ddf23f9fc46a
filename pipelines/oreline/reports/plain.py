"""Corpus text made safe and short for a terminal, and reports printed at one or into a pipe."""

import unicodedata
from collections.abc import Iterable
from typing import TypeAlias

from rich.console import Console, RenderableType
from rich.text import Text

Report: TypeAlias = list[RenderableType]
"""What a report function returns: rich renderables to print; a `str` is a finished line, such as one of JSON."""

DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> str:
    r"""Returns text in which nothing can steer a terminal, on one line.

    White space becomes single spaces; control characters (ANSI escapes begin with one), line ends of other systems,
    characters that change the writing direction and lone surrogates become escapes such as `\x1b`. Letters of every
    script, combining marks and emoji stay.
    """
    return "".join(_shown(sign) for sign in " ".join(text.split()))


def cut(text: str, characters: int) -> str:
    """Returns `visible(text)`, at most so many characters of it, with an ellipsis where it was cut."""
    # Only what can be seen is looked at: a document may have 50 MB.
    whole = visible(text[: 4 * characters])
    if len(whole) <= characters and len(text) <= 4 * characters:
        return whole
    return whole[: characters - 1].rstrip() + "…"


def words(text: str, style: str = "") -> Text:
    """Returns text as rich shows it literally: square brackets are no markup, emoji codes stay as they are."""
    return Text(text, style=style, overflow="fold")


def print_report(report: Iterable[RenderableType], console: Console) -> None:
    """Prints a report; finished lines go out as they are, whatever the width."""
    for each in report:
        if isinstance(each, str):
            console.file.write(f"{each}\n")
        else:
            console.print(each)


def _shown(sign: str) -> str:
    category = unicodedata.category(sign)
    if category in ("Cc", "Cs", "Zl", "Zp") or sign in DIRECTIONS:
        return sign.encode("unicode_escape").decode()
    return sign
