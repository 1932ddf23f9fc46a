"""Rows of any table as cards: a line per column, wrapped to the terminal, nothing in them that could steer it."""

import json
from collections.abc import Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from oreline.ids import Json
from oreline.reports.plain import DIRECTIONS, cut, words

LINE_ENDS_AND_DIRECTIONS = DIRECTIONS | frozenset("\u2028\u2029")
CHARACTERS = 400
"""Characters of a value that a card shows."""


def row_card(row: Mapping[str, object], first: str | None = None) -> Group:
    """Returns a row as lines `column  value`; columns without a value are left out.

    `first` names the column that stands on top (the id). Long values are cut, nested ones are shown as JSON.
    """
    grid = Table.grid(padding=(0, 2), expand=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    names = [name for name in row if name != first]
    for name in [first, *names] if first in row else names:
        value = row[str(name)]
        if value is not None:
            style = "bold" if name == first else ""
            grid.add_row(words(cut(str(name), 40), "dim"), words(cut(shown_value(value), CHARACTERS), style))
    return Group(grid, Text(""))


def shown_value(value: object) -> str:
    """Returns a value as text: strings as they are, floats to 4 digits, nested values as JSON without their nulls."""
    match value:
        case str():
            return value
        case bool() | int():
            return str(value)
        case float():
            return f"{value:.4g}"
        case bytes():
            return f"{len(value)} bytes: {value[:32].hex()}"
    return json.dumps(_without_nulls(value), ensure_ascii=False, default=str)


def json_line(row: Mapping[str, object]) -> str:
    """Returns a row as one line of JSON, every column in it; bytes are hexadecimal."""
    return one_line(json.dumps(dict(row), ensure_ascii=False, default=_json_default))


def one_line(text: str) -> str:
    """Returns JSON text in which no reader sees a line end, and no terminal a control character."""
    return "".join(f"\\u{ord(sign):04x}" if _breaks(sign) else sign for sign in text)


def value_line(value: Json) -> str:
    """Returns any JSON value as one line."""
    return one_line(json.dumps(value, ensure_ascii=False))


def _breaks(sign: str) -> bool:
    # JSON itself escapes all below U+0020.
    return "\x7f" <= sign <= "\x9f" or sign in LINE_ENDS_AND_DIRECTIONS or "\ud800" <= sign <= "\udfff"


def _json_default(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value
