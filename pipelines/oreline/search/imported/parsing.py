"""Lines of candidates into columns; a line that cannot be used is named, with the reason."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.ids import Json
from oreline.search.imported.formats import NEGATIVES, POSITIVES, SHORT_FIELDS, TREC_FIELDS, Form
from oreline.search.imported.lines import Lines

PARSED_SCHEMA = pa.schema(
    [
        pa.field("line", pa.int64(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("document", pa.string()),
        pa.field("text", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("place", pa.int64(), nullable=False),
        pa.field("positive", pa.bool_(), nullable=False),
    ]
)
"""A candidate as its file names it: query and document by ids or, in `bge` files, by their texts.

`place` orders a query's candidates of one file that have no score, the best first; `positive` ones are its positives.
"""

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WIDTH = 1 << 20
"""Candidates of one line of JSON, at most."""


@dataclass(frozen=True)
class Bad:
    """A line that cannot be used: its number, a code of `reasons.REASONS`, a sentence, and the line."""

    line: int
    reason: str
    detail: str
    payload: str


@dataclass(frozen=True)
class Parsed:
    """The candidates of some lines (`PARSED_SCHEMA`), and the lines that cannot be used."""

    rows: pa.Table
    bad: list[Bad] = field(default_factory=list)


def parse(block: Lines, form: Form) -> Parsed:
    """Returns the candidates of a block of lines; blank lines are passed over."""
    return _objects(block, form) if form in ("tevatron", "bge") else _columns(block, form)


def _columns(block: Lines, form: Form) -> Parsed:
    texts, bad = _decoded(block)
    numbers = pa.array(np.arange(block.first, block.first + len(block.lines)), pa.int64())
    fields = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(texts))
    width = TREC_FIELDS if form == "trec" else SHORT_FIELDS
    shaped = pc.equal(pc.list_value_length(fields), width)
    filled = pc.fill_null(pc.greater(pc.utf8_length(pc.ascii_trim_whitespace(texts)), 0), fill_value=False)
    lost = pc.and_(filled, pc.invert(pc.fill_null(shaped, fill_value=False)))
    expected = (
        "qid Q0 docid rank score tag" if form == "trec" else "qid docid score" if form == "scored" else "qid docid rank"
    )
    for row in np.flatnonzero(np.asarray(lost)).tolist():
        detail = f"expected {width} fields ({expected}), found {len(fields[row].as_py())}"
        bad.append(Bad(block.first + row, "unreadable", detail, texts[row].as_py()))
    shaped = pc.and_(filled, pc.fill_null(shaped, fill_value=False))
    flat = fields.filter(shaped).flatten()
    column = [flat.take(pa.array(np.arange(place, len(flat), width))) for place in range(width)]
    query, document, value = (column[0], column[2], column[4]) if form == "trec" else column
    numbers = numbers.filter(shaped)
    written = pc.match_substring_regex(value, _NUMBER)
    scores = pc.cast(pc.if_else(written, value, pa.scalar(None, pa.string())), pa.float64())
    usable = pc.fill_null(pc.is_finite(scores), fill_value=False)
    for row in np.flatnonzero(~np.asarray(usable)).tolist():
        bad.append(_no_score(numbers[row].as_py(), value[row].as_py(), f"{query[row]} {document[row]}"))
    query, document, numbers, scores = (each.filter(usable) for each in (query, document, numbers, scores))
    ranked = form == "ranked"
    count = len(scores)
    rows = {
        "line": numbers,
        "query": query,
        "document": document,
        "text": pa.nulls(count, pa.string()),
        "score": pa.nulls(count, pa.float64()) if ranked else scores,
        "place": _places(scores) if ranked else numbers,
        "positive": pa.array(np.zeros(count, np.bool_)),
    }
    return Parsed(pa.table(rows, schema=PARSED_SCHEMA), bad)


def _places(ranks: pa.Array) -> pa.Array:
    """Returns ranks as whole numbers; what is written as 1.0 or 1.5 keeps its order."""
    most = float(1 << 36)
    inside = pc.max_element_wise(pc.min_element_wise(ranks, most), -most)
    return pc.cast(pc.multiply(inside, 1024.0), pa.int64(), safe=False)


def _no_score(line: int, value: str, payload: str) -> Bad:
    return Bad(line, "no_score", f"expected a finite number as score or rank, found {value!r}", f"{payload} {value}")


def _decoded(block: Lines) -> tuple[pa.Array, list[Bad]]:
    lines = block.lines
    if block.first == 1 and lines and lines[0].startswith(b"\xef\xbb\xbf"):
        lines = [lines[0][3:], *lines[1:]]
    try:
        return pa.array(lines, pa.binary()).cast(pa.string()), []
    except pa.ArrowInvalid:
        pass  # some line is no text; each is looked at
    texts: list[str | None] = []
    bad: list[Bad] = []
    for number, line in enumerate(lines, block.first):
        try:
            texts.append(line.decode())
        except UnicodeDecodeError as error:
            texts.append(None)
            bad.append(Bad(number, "unreadable", f"not UTF-8 (byte {error.start})", line.decode(errors="replace")))
    return pa.array(texts, pa.string()), bad


@dataclass
class _Rows:
    """Candidates of lines of JSON, column by column."""

    columns: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in PARSED_SCHEMA.names})

    def add(self, line: int, query: str, named: "_Named") -> None:
        """Adds a candidate."""
        values = (line, query, named.document, named.text, named.score, line * _WIDTH + named.place, named.positive)
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)


@dataclass(frozen=True)
class _Named:
    """A candidate within its line."""

    place: int
    positive: bool
    document: str | None = None
    text: str | None = None
    score: float | None = None


class _Unusable(Exception):
    """What is wrong with a line."""


def _objects(block: Lines, form: Form) -> Parsed:
    rows, bad = _Rows(), list[Bad]()
    for number, line in enumerate(block.lines, block.first):
        if not line.strip():
            continue
        try:
            query, named = _object(line, form)
        except _Unusable as problem:
            bad.append(Bad(number, "unreadable", str(problem), line.decode(errors="replace")))
            continue
        for each in named:
            if each.score is not None and not math.isfinite(each.score):
                payload = each.document or each.text or ""
                bad.append(_no_score(number, str(each.score), f"{query} {payload}"))
            else:
                rows.add(number, query, each)
    return Parsed(pa.table(rows.columns, schema=PARSED_SCHEMA), bad)


def _object(line: bytes, form: Form) -> tuple[str, list[_Named]]:
    try:
        row: Json = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits
        raise _Unusable(f"no JSON ({error})") from error
    if not isinstance(row, dict):
        raise _Unusable("expected an object of JSON")
    query = row.get("query_id" if form == "tevatron" else "query")
    if not isinstance(query, (str, int)) or isinstance(query, bool):
        raise _Unusable(f"{'query_id' if form == 'tevatron' else 'query'} is missing or no text")
    named = list(_by_ids(row) if form == "tevatron" else _by_texts(row))
    if any(_is_broken(text) for text in (str(query), *(each.document or each.text for each in named))):
        raise _Unusable("a text holds half a surrogate pair")
    return str(query), named


def _is_broken(text: str | None) -> bool:
    return text is not None and any("\ud800" <= sign <= "\udfff" for sign in text)


def _by_ids(row: dict[str, Json]) -> Iterator[_Named]:
    place = 0
    for keys, positive in ((POSITIVES, True), (NEGATIVES, False)):
        for key in keys:
            for entry in _list(row, key):
                own_id = entry.get("docid") if isinstance(entry, dict) else entry
                if not isinstance(own_id, (str, int)) or isinstance(own_id, bool):
                    raise _Unusable(f"{key} holds something that is no document id: {own_id!r}")
                yield _Named(place, positive, document=str(own_id))
                place += 1


def _by_texts(row: dict[str, Json]) -> Iterator[_Named]:
    place = 0
    for key, positive in (("pos", True), ("neg", False)):
        texts, scores = _list(row, key), _list(row, f"{key}_scores")
        if scores and len(scores) != len(texts):
            raise _Unusable(f"{key} has {len(texts)} texts, but {key}_scores {len(scores)} scores")
        for number, text in enumerate(texts):
            score = scores[number] if scores else None
            if not isinstance(text, str):
                raise _Unusable(f"{key} holds something that is no text: {text!r}")
            if score is not None and (not isinstance(score, (int, float)) or isinstance(score, bool)):
                raise _Unusable(f"{key}_scores holds something that is no number: {score!r}")
            yield _Named(place, positive, text=text, score=None if score is None else _float(score))
            place += 1


def _float(score: float) -> float:
    try:
        return float(score)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf


def _list(row: dict[str, Json], key: str) -> list[Json]:
    found = row.get(key)
    if found is not None and not isinstance(found, list):
        raise _Unusable(f"{key} is no list")
    return cast("list[Json]", found or [])
