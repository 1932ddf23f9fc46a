"""Looks at a path, for `oreline init`: its format, its columns, whether there are pairs. Imports no Beam."""

import csv
import gzip
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from oreline.errors import CallError
from oreline.recipe.settings import SourceFormat
from oreline.sources.formats import ENDINGS, format_of_name, formats_among, plain_name

ROWS_LOOKED_AT = 100
_FILES_LOOKED_AT = 20_000
_PAGES: tuple[SourceFormat, ...] = ("markdown", "text")
_CORPORA = ("corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst")
_QUERY_COLUMNS = ("query", "anchor")
_TEXT_COLUMNS = ("text", "content", "body", "passage", "document")


@dataclass(frozen=True)
class Look:
    """What stands at a path.

    `format` is None for a folder of both markdown and text, which are read together. `columns` are names of table
    columns, empty where there are none; `pairs` says in words which judgements were found; `others` counts files of
    formats that this source leaves out.
    """

    path: str
    format: SourceFormat | None
    files: int
    columns: tuple[str, ...] = ()
    pairs: str | None = None
    others: tuple[tuple[SourceFormat, int], ...] = ()


def look(path: str) -> list[Look]:
    """Returns the sources found at a local file or folder.

    Raises CallError if there is nothing, or nothing that a source can read.
    """
    if not os.path.exists(path):
        raise CallError(f"{path}: there is no such file or folder; name your corpus, or use `oreline init --demo`")
    if os.path.isfile(path):
        return [_file(path)]
    if _is_beir(path):
        return [_beir(path)]
    inside = sorted(entry.path for entry in os.scandir(path) if entry.is_dir() and _is_beir(entry.path))
    if inside:
        return [_beir(folder) for folder in inside]
    return [_folder(path)]


def _file(path: str) -> Look:
    kind = format_of_name(path)
    if kind is None:
        raise CallError(f"{path}: no format that oreline reads; it reads {_endings()}")
    columns = _columns(path, kind)
    return Look(path, kind, 1, columns, _pairs_in(columns))


def _folder(path: str) -> Look:
    found: dict[SourceFormat, list[str]] = {}
    names = list(itertools.islice(_walk(path), _FILES_LOOKED_AT))
    for name in names:
        kind = format_of_name(name)
        if kind is not None:
            found.setdefault(kind, []).append(name)
    if not found:
        raise CallError(f"{path}: no file that oreline reads is in it; it reads {_endings()}")
    chosen = _chosen(found, formats_among(names))
    columns = _columns(os.path.join(path, found[chosen[0]][0]), chosen[0])
    others = tuple((kind, len(found[kind])) for kind in found if kind not in chosen)
    form = chosen[0] if len(chosen) == 1 else None
    return Look(path, form, sum(len(found[kind]) for kind in chosen), columns, _pairs_in(columns), others)


def _chosen(found: Mapping[SourceFormat, Sequence[str]], possible: Sequence[SourceFormat]) -> list[SourceFormat]:
    """Returns the format of most files (a README beside tables is no corpus); markdown and text go together."""
    pages = [kind for kind in _PAGES if kind in found]
    counts = {kind: len(found[kind]) for kind in found if kind not in _PAGES}
    if len(possible) == 1 and possible[0] not in _PAGES:
        return [possible[0]]
    most = max(counts, key=lambda kind: counts[kind], default=None)
    if most is not None and counts[most] > sum(len(found[kind]) for kind in pages):
        return [most]
    return pages


def _endings() -> str:
    plain = {ending for form, endings in ENDINGS.items() if form != "code" for ending in endings}
    return f"{', '.join(sorted(plain))} and source code"


def _walk(folder: str) -> Iterator[str]:
    """Yields the files below a folder, relative to it, hidden ones left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            os.path.relpath(os.path.join(parent, name), folder) for name in sorted(names) if not name.startswith(".")
        )


def _is_beir(folder: str) -> bool:
    return any(os.path.isfile(os.path.join(folder, name)) for name in _CORPORA)


def _beir(folder: str) -> Look:
    qrels = os.path.join(folder, "qrels")
    names = sorted(os.listdir(qrels)) if os.path.isdir(qrels) else []
    splits = {plain_name(name)[0].removesuffix(".tsv"): name for name in names if ".tsv" in name}
    plain = [name for name in splits.values() if name.endswith(".tsv")]
    judgements = sum(_data_lines(os.path.join(qrels, name)) for name in plain)
    number = f"{judgements:,} " if len(plain) == len(splits) else ""
    pairs = f"{number}judgements in qrels ({', '.join(splits)})" if splits else None
    return Look(folder, "beir", 1, (), pairs)


def _data_lines(path: str) -> int:
    with open(path, "rb") as file:
        return max(0, sum(1 for _ in file) - 1)


def _columns(path: str, kind: SourceFormat) -> tuple[str, ...]:
    """Returns the columns of a table file; none if it cannot be read, which the run will say in full."""
    readers: dict[SourceFormat, Callable[[str], Sequence[str]]] = {
        "jsonl": _json_columns,
        "parquet": _parquet_columns,
        "csv": lambda name: _header(name, ","),
        "tsv": lambda name: _header(name, "\t"),
    }
    return tuple(readers[kind](path)) if kind in readers else ()


def _json_columns(path: str) -> list[str]:
    if path.endswith(".zst"):
        return []
    names: dict[str, None] = {}
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        for line in itertools.islice(file, ROWS_LOOKED_AT):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                names |= dict.fromkeys(row)
    return list(names)


def _parquet_columns(path: str) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return [str(name) for name in pq.read_schema(path).names]
    except pa.ArrowInvalid as error:
        raise CallError(f"{path}: no parquet file: {error}") from error


def _header(path: str, delimiter: str) -> list[str]:
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        return next(csv.reader(file, delimiter=delimiter), [])


def _pairs_in(columns: Sequence[str]) -> str | None:
    query = next((name for name in _QUERY_COLUMNS if name in columns), None)
    positive = next((name for name in ("positive", *_TEXT_COLUMNS) if name in columns), None)
    return f"columns {query} and {positive}" if query and positive else None


def has_text(columns: Sequence[str]) -> bool:
    """Says whether one of the columns has a name under which ingest finds the text by itself."""
    return any(name in columns for name in (*_TEXT_COLUMNS, "positive"))
