"""Rows of jsonl, csv, tsv and parquet files, streamed."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files
from oreline.errors import SourceError
from oreline.recipe.settings import Columns, Source, SourceFormat
from oreline.sources import columns
from oreline.sources.columns import Reader, Row, table_row
from oreline.sources.found import Found, Place
from oreline.sources.lines import lines, open_plain
from oreline.sources.listed import SourceFile

BATCH_ROWS = 1024


def read_jsonl(place: Place, path: str, reader: Reader) -> Iterator[Found]:
    """Yields what each line gives; blank lines are no rows."""
    for number, line in lines(path):
        here = replace(place, line=number)
        if line is None:
            yield here.drop("documents", "too_long", "the line is longer than 256 MiB")
        elif line.strip():
            yield _read_line(here, line, reader)


def _read_line(place: Place, line: bytes, reader: Reader) -> Found:
    row = parse_json(place, line)
    try:
        return row if isinstance(row, Found) else reader(place, row)
    except RecursionError:
        # Nested just deep enough to be read and too deep to be written as metadata.
        return place.drop("documents", "unreadable", "JSON that is nested too deeply", line[:10_000].decode())


def parse_json(place: Place, line: bytes) -> Row | Found:
    """Returns the object that a line holds, or the reject if it holds none."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        detail = f"invalid UTF-8 at byte {error.start + 1} of the line ({error.reason})"
        return place.drop("documents", "unreadable", detail, line[:10_000].decode("utf-8", "backslashreplace"))
    try:
        row = json.loads(text, parse_constant=str)
    except json.JSONDecodeError as error:
        return place.drop("documents", "unreadable", f"no valid JSON: {error.msg} at column {error.colno}", text)
    except (ValueError, RecursionError) as error:
        return place.drop("documents", "unreadable", f"JSON that cannot be read: {error}", text)
    if not isinstance(row, dict):
        return place.drop("documents", "unreadable", f"expected a JSON object, found a {type(row).__name__}", text)
    if "\\ud" in text.lower():
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            found = f"\\u{ord(error.object[error.start]):04x}"
            detail = f"a lone surrogate {found}: half of a character, which UTF-8 cannot hold"
            return place.drop("documents", "unreadable", detail, text)
    return row


def read_csv(place: Place, path: str, form: SourceFormat) -> Iterator[Found]:
    """Yields what each row gives; the first line is the header. In tsv a quotation mark is a sign like any other.

    Raises SourceError if a column that the recipe names is missing, or the file is damaged.
    """
    csv.field_size_limit(sys.maxsize)  # the module's only switch; its default refuses fields above 128 KiB
    try:
        with open_plain(path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
            rows = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE) if form == "tsv" else csv.reader(text)
            header = next(rows, None)
            if header is None:
                return
            check_columns(path, place.source.columns, dict.fromkeys(header))
            line = rows.line_num
            for fields in rows:
                here, line = replace(place, line=line + 1), rows.line_num
                if fields:
                    yield _csv_row(here, header, fields)
    except (OSError, EOFError, csv.Error) as error:
        raise SourceError(f"{path}: the file is damaged ({error}); replace it") from error


def _csv_row(place: Place, header: Sequence[str], fields: Sequence[str]) -> Found:
    payload = "\t".join(fields)
    try:
        payload.encode()
    except UnicodeEncodeError:
        raw = payload.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return place.drop("documents", "unreadable", "invalid UTF-8", raw)
    if len(fields) != len(header):
        detail = f"{len(fields)} fields, but the header has {len(header)}"
        return place.drop("documents", "unreadable", detail, payload)
    return table_row(place, {name: value or None for name, value in zip(header, fields, strict=True)})


def read_parquet(place: Place, path: str) -> Iterator[Found]:
    """Yields what each row gives; raises SourceError for a damaged file and for a missing or mistyped column."""
    row = 0
    try:
        with files.open_read(path) as file, pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            check_columns(path, place.source.columns, {name: schema.field(name).type for name in schema.names})
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
                for index in range(batch.num_rows):
                    row += 1
                    yield _parquet_row(replace(place, line=row), batch.slice(index, 1))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: no readable parquet file after row {row:,} ({error}); replace it") from error


def _parquet_row(place: Place, batch: pa.RecordBatch) -> Found:
    try:
        return table_row(place, batch.to_pylist()[0])
    except UnicodeDecodeError as error:
        return place.drop("documents", "unreadable", f"a text column holds invalid UTF-8 ({error.reason})")


def check_columns(path: str, wanted: Columns, found: dict[str, pa.DataType | None]) -> None:
    """Raises SourceError if a table lacks a column that is needed, or it has another type (None: not typed)."""
    shown = ", ".join(f"{name} ({kind})" if kind is not None else name for name, kind in found.items()) or "none"
    for role, name in columns.named_columns(wanted).items():
        if name not in found:
            raise SourceError(f"{path}: no column {name!r} (columns.{role}); found: {shown}")
    query = columns.query_column(wanted, found)
    text = columns.text_column(wanted, found, with_query=query is not None)
    if text is None:
        expected = ", ".join(columns.TEXT_COLUMNS)
        raise SourceError(f"{path}: no column holds the text, set columns.text (tried {expected}); found: {shown}")
    roles = columns.named_columns(wanted) | {"text": text}
    for role, name in roles.items():
        kind = found[name]
        if kind is not None and not _fits(kind, role):
            raise SourceError(f"{path}: column {name!r} (columns.{role}) has type {kind}, expected {_expected(role)}")


def _fits(kind: pa.DataType, role: str) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if role == "negative" and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        kind = kind.value_type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return text or pa.types.is_null(kind) or (role in ("id", "label") and pa.types.is_integer(kind))


def _expected(role: str) -> str:
    whole = "string or a whole number"
    return {"id": whole, "label": whole, "negative": "string or a list of strings"}.get(role, "string")


def first_row_has_query(source: Source, form: SourceFormat, found: Sequence[SourceFile]) -> bool:
    """Says whether a table's first row, or its header, has a query's column; damage is left for the stage to tell."""
    if source.columns.query is not None:
        return True
    for each in found:
        names = _first_names(form, each)
        if names is not None:
            return columns.query_column(source.columns, names) is not None
    return False


def _first_names(form: SourceFormat, file: SourceFile) -> list[str] | None:
    path = file.info.path
    if form == "parquet":
        try:
            with files.open_read(path) as stored, pq.ParquetFile(stored) as parquet:
                return list(parquet.schema_arrow.names)
        except (pa.ArrowException, OSError):
            return None
    try:
        for _, line in lines(path):
            if form != "jsonl":
                separator = "\t" if form == "tsv" else ","
                return next(csv.reader([(line or b"").decode("utf-8", "replace")], delimiter=separator), None)
            row = json.loads(line) if line and line.strip() else None
            if isinstance(row, dict):
                return [name for name, value in row.items() if value is not None]
    except (SourceError, ValueError, RecursionError):
        return None
    return None
