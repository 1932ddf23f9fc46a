"""A trainer's files, and single Parquet or JSON-lines files: what they hold, and their first rows."""

import json
from collections import Counter
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from rich.text import Text

from oreline import files
from oreline.errors import BrokenTable, CallError
from oreline.exporters.layout import TRAIN
from oreline.reports.plain import Report, visible, words
from oreline.reports.rows import json_line, row_card, value_line
from oreline.tables.manifest import Manifest


def folders(output: str, manifest: Manifest | None) -> list[str]:
    """Returns a line per folder of trainer's files that export's manifest lists: path and rows, sorted."""
    rows: Counter[str] = Counter()
    for table, parts in (manifest.tables if manifest else {}).items():
        if table.startswith(f"{TRAIN}/"):
            for part in parts:
                rows[part.path.rpartition("/")[0]] += part.rows
    return [f"{visible(files.join(output, folder))}  {number:,} rows" for folder, number in sorted(rows.items())]


def folder_report(path: str, limit: int, *, as_json: bool) -> Report:
    """Returns the files below a folder of `train/` with their rows, then the first rows of the first one."""
    found = [each for each in files.walk(path) if each.path.endswith((".parquet", ".jsonl"))]
    if not found:
        raise CallError(f"{path}: there is no .parquet or .jsonl file below it; has export run?")
    if as_json:
        return [value_line({"path": each.path, "bytes": each.size, "rows": _rows(each.path)}) for each in found]
    report: Report = [f"{visible(each.path)}  {_rows(each.path):,} rows, {each.size / 2**20:,.1f} MB" for each in found]
    return [*report, Text(""), *file_report(found[0].path, min(limit, 3), as_json=False)]


def file_report(path: str, limit: int, *, as_json: bool) -> Report:
    """Returns the first `limit` rows of a Parquet or JSON-lines file, with its columns and number of rows.

    Raises BrokenTable if the file is not what its name says; of JSON lines only those shown are parsed.
    """
    rows = _jsonl_rows(path, limit) if path.endswith(".jsonl") else _parquet_rows(path, limit)
    if as_json:
        return [json_line(row) for row in rows]
    names = ", ".join(visible(name) for name in (rows[0] if rows else []))
    heading = words(f"{visible(path)}: {_rows(path):,} rows{'; columns ' + names if names else ''}\n", "dim")
    return [heading, *(row_card(row, next(iter(row), None)) for row in rows)]


def _parquet_rows(path: str, limit: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    try:
        with files.open_read(path) as file, pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=max(limit, 1)):
                rows += batch.to_pylist()[: limit - len(rows)]
                if len(rows) >= limit:
                    break
    except (pa.ArrowException, OSError) as error:
        raise BrokenTable(f"{path}: not a whole Parquet file ({str(error).splitlines()[0]})") from error
    return rows


def _jsonl_rows(path: str, limit: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with files.open_read(path) as file:
        for number, line in enumerate(islice(file, limit), start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BrokenTable(f"{path}:{number}: not a line of JSON ({error})") from error
            rows.append(row if isinstance(row, dict) else {"value": row})
    return rows


def _rows(path: str) -> int:
    if path.endswith(".jsonl"):
        with files.open_read(path) as file:
            return sum(1 for _ in file)
    try:
        with files.open_read(path) as file, pq.ParquetFile(file) as parquet:
            return int(parquet.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise BrokenTable(f"{path}: not a whole Parquet file ({str(error).splitlines()[0]})") from error
