"""The formats of candidates: which one a file has, by its first line."""

import json
from collections import defaultdict
from typing import Literal

from oreline.errors import CallError
from oreline.ids import Json
from oreline.recipe.settings import Run, RunFormat
from oreline.search.imported.lines import blocks_of

Form = Literal["trec", "scored", "ranked", "tevatron", "bge"]
"""What a line holds. `scored`: query, document, score; `ranked`: query, document, rank; the last two are JSON."""

_FIRST = 4_096
TREC_FIELDS = 6
SHORT_FIELDS = 3
NEGATIVES = ("negative_document_ids", "negative_passages")
POSITIVES = ("positive_document_ids", "positive_passages")


def form_of(settings: Run, path: str) -> Form:
    """Returns what the lines of a file hold; raises CallError, with the remedy, if its first line is not of the format.

    A text file of three columns is one of scores, or of ranks if its first queries' lines are numbered from 1; a file
    that has neither must be named `tevatron` or `msmarco` in the recipe.
    """
    first = _first_lines(path)
    if not first:
        raise CallError(f"mine.runs: {path} holds no line")
    try:
        text = first[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CallError(f"mine.runs: {path}:1: not UTF-8 (byte {error.start}); save the file as UTF-8") from error
    first[0] = text.encode()
    found = _json_form(text) if text.lstrip().startswith(("{", "[")) else _text_form(first, settings.format)
    if found is None or settings.format not in ("auto", *_NAMES[found]):
        wanted = "trec, tevatron, msmarco or bge" if settings.format == "auto" else settings.format
        raise CallError(
            f"mine.runs: {path}: the first line is none of the format {wanted}: {text[:120]!r}; "
            f"{f'write format: {_NAMES[found][0]}' if found else 'see the formats in docs/mining.md'}"
        )
    return found


_NAMES: dict[Form, tuple[RunFormat, ...]] = {
    "trec": ("trec",),
    "scored": ("tevatron",),
    "ranked": ("msmarco",),
    "tevatron": ("tevatron",),
    "bge": ("bge",),
}


def _first_lines(path: str) -> list[bytes]:
    return next(
        (some for block in blocks_of(path, _FIRST) if (some := [each for each in block.lines if each.strip()])), []
    )


def _json_form(text: str) -> Form | None:
    try:
        row: Json = json.loads(text)
    except json.JSONDecodeError:
        return None
    if not isinstance(row, dict):
        return None
    if "query_id" in row and any(key in row for key in (*NEGATIVES, *POSITIVES)):
        return "tevatron"
    return "bge" if "query" in row and ("neg" in row or "pos" in row) else None


def _text_form(first: list[bytes], asked: RunFormat) -> Form | None:
    fields = [line.split() for line in first]
    if len(fields[0]) == TREC_FIELDS:
        return "trec"
    if len(fields[0]) != SHORT_FIELDS:
        return None
    if asked != "auto":
        return "ranked" if asked == "msmarco" else "scored"
    return "ranked" if _numbered(fields[:-1] or fields) else "scored"


def _numbered(fields: list[list[bytes]]) -> bool:
    """Says whether each query's lines are numbered from 1; of a query with one line, a score of 1 would look so too."""
    thirds: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for place, each in enumerate(fields):
        if len(each) == SHORT_FIELDS and (place or each[2][-1:].isdigit()):  # the first line may be one of names
            thirds[each[0]].append(each[2])
    return bool(thirds) and all(
        found == [str(number).encode() for number in range(1, len(found) + 1)] for found in thirds.values()
    )
