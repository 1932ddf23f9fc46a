"""The rows of benchmarks, streamed: BEIR folders, rows in the forms that MTEB's tasks have, plain text."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from oreline.decontamination.layout import benchmark_files, benchmark_format, is_per_file, split_of, table_of
from oreline.errors import SourceError
from oreline.files import open_read
from oreline.recipe.settings import Benchmark, BenchmarkColumns
from oreline.records import BenchmarkRole
from oreline.sources.formats import has_ending
from oreline.sources.lines import lines
from oreline.sources.listed import SourceFile

Row = Mapping[str, object]

DEFAULT_COLUMNS: dict[BenchmarkRole, tuple[str, ...]] = {
    "query": ("query", "queries"),
    "relevant": ("positive", "pos", "positives"),
    "other": ("negative", "neg", "negatives"),
    "text": (
        "text",
        "texts",
        "sentence1",
        "sentence2",
        "sentences",
        "sent1",
        "sent2",
        "human_summaries",
        "machine_summaries",
    ),
}
"""Columns of `mteb` files by role, as MTEB's tasks name them; a row may have any of them."""

_PARQUET_ROWS = 1_024

_IDS = ("_id", "id", "query_id", "doc_id", "query-id", "corpus-id")


@dataclass(frozen=True)
class BenchmarkRow:
    """One text of a benchmark: its label, such as `queries/q1` or `sts.jsonl:3.sentence1`, and its role."""

    label: str
    role: BenchmarkRole
    title: str | None
    text: str


@dataclass
class _Qrels:
    """What a BEIR folder is tested with: judged queries, relevant documents; `read` if there are qrels at all.

    `highest` is the largest grade in them.
    """

    queries: set[str] = field(default_factory=set)
    relevant: set[str] = field(default_factory=set)
    read: bool = False
    highest: float = -math.inf


def read_benchmark(benchmark: Benchmark) -> Iterator[BenchmarkRow]:
    """Yields the texts of a benchmark in the order of its files; texts without a letter in them are left out.

    Raises SourceError, which names file and line, for a row that cannot be read: a benchmark that is read in part
    would let the rest be trained on. Raises CallError for a path that is not there.
    """
    form = benchmark_format(benchmark)
    if form == "beir":
        found = _beir(benchmark)
    elif form == "mteb":
        found = (row for file in benchmark_files(benchmark) for row in _mteb(file, benchmark.columns))
    else:
        found = _plain(benchmark)
    return (row for row in found if row.text.strip() or (row.title or "").strip())


def _beir(benchmark: Benchmark) -> Iterator[BenchmarkRow]:
    found = benchmark_files(benchmark)
    qrels = _Qrels()
    for file in found:
        if split_of(file.relative) is not None:
            _read_qrels(file, benchmark.relevant_from, qrels)
    tables = {name: [file for file in found if table_of(file.relative) == name] for name in ("queries", "corpus")}
    if qrels.queries and not qrels.relevant and tables["corpus"]:
        raise SourceError(
            f"benchmark {benchmark.path}: no document is relevant, so none would be dropped for it: relevant_from is "
            f"{benchmark.relevant_from:g}, the largest grade in the qrels is {qrels.highest:g}; set relevant_from to "
            "the least grade of a relevant document"
        )
    yield from _queries(tables["queries"], qrels)
    yield from _corpus(tables["corpus"], qrels)


def _queries(files: Sequence[SourceFile], qrels: _Qrels) -> Iterator[BenchmarkRow]:
    """Yields the queries that are judged in the splits that are tested with; all, if there are no qrels."""
    read = kept = 0
    for file, number, row in _rows(files):
        own = _id(file, number, row)
        read += 1
        if not qrels.read or own in qrels.queries:
            kept += 1
            yield BenchmarkRow(f"queries/{own}", "query", None, _text(file, number, row, ("text", "query")))
    if read and not kept:
        raise SourceError(
            f"{files[0].info.path}: none of its {read:,} queries is judged in the qrels, which name "
            f"{min(qrels.queries, default='none')!r} and so on; mend the ids, or name another split"
        )


def _corpus(files: Sequence[SourceFile], qrels: _Qrels) -> Iterator[BenchmarkRow]:
    read = relevant = 0
    for file, number, row in _rows(files):
        own = _id(file, number, row)
        read += 1
        relevant += own in qrels.relevant
        title = row.get("title")
        text = _text(file, number, row, ("text", "contents", "content"))
        role: BenchmarkRole = "relevant" if own in qrels.relevant else "other"
        yield BenchmarkRow(f"corpus/{own}", role, title if isinstance(title, str) and title.strip() else None, text)
    if read and qrels.relevant and not relevant:
        raise SourceError(
            f"{files[0].info.path}: none of its {read:,} documents is one that the qrels say is relevant, such as "
            f"{min(qrels.relevant)!r}, so none would be dropped for it; mend the ids, or take the corpus out"
        )


def _read_qrels(file: SourceFile, relevant_from: float, qrels: _Qrels) -> None:
    qrels.read = True
    for number, query, document, grade in _judgements(file):
        if not math.isfinite(grade):
            raise _bad(file, number, f"the grade is {grade}")
        qrels.queries.add(query)
        qrels.highest = max(qrels.highest, grade)
        if grade >= relevant_from:
            qrels.relevant.add(document)


def _judgements(file: SourceFile) -> Iterator[tuple[int, str, str, float]]:
    if has_ending(file.relative, "jsonl") or has_ending(file.relative, "parquet"):
        for number, row in _objects(file):
            names = ("query-id", "corpus-id", "score")
            if missing := [name for name in names if not isinstance(row.get(name), (str, int, float))]:
                raise _bad(file, number, f"expected query-id, corpus-id and score; {', '.join(missing)} is not there")
            yield number, str(row["query-id"]), str(row["corpus-id"]), _grade(file, number, str(row["score"]))
        return
    for number, line in lines(file.info.path):
        text = _decoded(file, number, line).strip()
        fields = [each.strip() for each in text.split("\t")]
        fields = text.split() if len(fields) < 3 else fields
        fields = [fields[0], *fields[2:]] if len(fields) == 4 else fields
        if not text or (number == 1 and _is_header(fields)):
            continue
        if len(fields) != 3:
            raise _bad(file, number, f"expected query id, document id and grade, found {len(fields)} fields")
        yield number, fields[0], fields[1], _grade(file, number, fields[2])


def _is_header(fields: Sequence[str]) -> bool:
    try:
        float(fields[-1])
    except ValueError:
        return len(fields) >= 2
    return False


def _grade(file: SourceFile, number: int, stated: str) -> float:
    try:
        return float(stated)
    except ValueError:
        raise _bad(file, number, f"expected a number as grade, found {stated!r}") from None


def _mteb(file: SourceFile, columns: BenchmarkColumns) -> Iterator[BenchmarkRow]:
    named: dict[BenchmarkRole, list[str] | None] = {
        "query": columns.query,
        "relevant": columns.relevant,
        "other": columns.other,
        "text": columns.text,
    }
    chosen = {role: each for role, each in named.items() if each is not None}
    for number, row in _objects(file):
        roles: Mapping[BenchmarkRole, Sequence[str]] = chosen or _default_columns(file, number, row)
        for role, names in roles.items():
            for name in names:
                for place, text in enumerate(_texts(file, number, row, name)):
                    label = f"{file.relative}:{number}.{name}" + (f"[{place}]" if isinstance(row[name], list) else "")
                    yield BenchmarkRow(label, role, None, text)


def _default_columns(file: SourceFile, number: int, row: Row) -> Mapping[BenchmarkRole, Sequence[str]]:
    found = {role: [name for name in names if name in row] for role, names in DEFAULT_COLUMNS.items()}
    if not any(found.values()):
        known = ", ".join(name for names in DEFAULT_COLUMNS.values() for name in names)
        shown = ", ".join(map(repr, row)) or "no column"
        raise _bad(file, number, f"no column holds a text: expected one of {known}, found {shown}; set columns")
    return found


def _texts(file: SourceFile, number: int, row: Row, name: str) -> list[str]:
    if name not in row:
        raise _bad(file, number, f"the column {name!r} is missing; the row has {', '.join(map(repr, row))}")
    value = row[name]
    listed = value if isinstance(value, list) else [value]
    flat = [inner for each in listed for inner in (each if isinstance(each, list) else [each])]
    if not all(isinstance(each, str) for each in flat):
        kinds = sorted({type(each).__name__ for each in flat if not isinstance(each, str)})
        raise _bad(file, number, f"the column {name!r} holds {', '.join(kinds)}, expected text or a list of texts")
    return [_whole(file, number, str(each)) for each in flat]


def _plain(benchmark: Benchmark) -> Iterator[BenchmarkRow]:
    per_file = is_per_file(benchmark)
    for file in benchmark_files(benchmark):
        held = []
        for number, line in lines(file.info.path):
            text = _decoded(file, number, line)
            if per_file:
                held.append(text)
            else:
                yield BenchmarkRow(f"{file.relative}:{number}", "text", None, text)
        if per_file:
            yield BenchmarkRow(file.relative, "text", None, "\n".join(held))


def _rows(files: Sequence[SourceFile]) -> Iterator[tuple[SourceFile, int, Row]]:
    """Yields the rows of a table's files, each with its file and place."""
    for file in files:
        for number, row in _objects(file):
            yield file, number, row


def _objects(file: SourceFile) -> Iterator[tuple[int, Row]]:
    """Yields the number, from 1, and the object of each line or Parquet row; blank lines are no rows."""
    if has_ending(file.relative, "parquet"):
        yield from _parquet(file)
        return
    for number, line in lines(file.info.path):
        text = _decoded(file, number, line)
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _bad(file, number, f"no valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise _bad(file, number, f"expected a JSON object, found {type(row).__name__}")
        yield number, row


def _parquet(file: SourceFile) -> Iterator[tuple[int, Row]]:
    read = 0
    try:
        with open_read(file.info.path) as stored, pq.ParquetFile(stored) as parquet:
            for batch in parquet.iter_batches(batch_size=_PARQUET_ROWS):
                yield from enumerate(batch.to_pylist(), start=read + 1)
                read += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _bad(file, read + 1, f"no readable Parquet from here on ({error})") from error


def _id(file: SourceFile, number: int, row: Row) -> str:
    for name in _IDS:
        value = row.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)
    raise _bad(file, number, f"no id: expected _id, found {', '.join(map(repr, row)) or 'no column'}")


def _text(file: SourceFile, number: int, row: Row, names: Sequence[str]) -> str:
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            return _whole(file, number, value)
    if given := next((name for name in names if name in row), None):
        raise _bad(file, number, f"no text: {given} is {type(row[given]).__name__}, expected a string")
    raise _bad(file, number, f"no text: expected {names[0]}, found {', '.join(map(repr, row)) or 'no column'}")


def _whole(file: SourceFile, number: int, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _bad(file, number, "half of a surrogate pair, which is no character") from None
    return text


def _decoded(file: SourceFile, number: int, line: bytes | None) -> str:
    if line is None:
        raise _bad(file, number, "the line is longer than 256 MiB")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(file, number, f"invalid UTF-8 at byte {error.start + 1} of the line") from error


def _bad(file: SourceFile, number: int, what: str) -> SourceError:
    return SourceError(f"{file.info.path}:{number}: this row of a benchmark cannot be read: {what}. Mend or remove it")
