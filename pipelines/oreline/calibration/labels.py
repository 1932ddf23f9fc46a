"""Labels: relevant documents that a run was not shown, given as qrels, to estimate false negatives by."""

import json
from collections.abc import Iterator

import polars as pl

from oreline import files
from oreline.errors import CallError

_QUERY = ("query-id", "query_id", "qid")
_DOCUMENT = ("corpus-id", "corpus_id", "doc_id", "docid")
_GRADE = ("score", "relevance", "label", "grade")


def read_labels(path: str) -> pl.DataFrame:
    """Returns the relevant pairs of a qrels file as columns `query` and `document`, ids as they stand there.

    A TSV file has a header with query-id, corpus-id and score, or is TREC's `query 0 document grade`; a JSONL file has
    objects with such keys. Pairs graded above 0 are relevant.

    Raises CallError if the file is not there, or a line is not of such a form.
    """
    if not files.exists(path):
        raise CallError(f"--labels {path}: there is no such file; give qrels as .tsv or .jsonl")
    lines = files.read_bytes(path).decode("utf-8-sig", "replace").splitlines()
    found = _jsonl(path, lines) if path.endswith((".jsonl", ".json")) else _tsv(path, lines)
    rows = [(query, document) for query, document, grade in found if grade > 0]
    if not rows:
        raise CallError(f"--labels {path}: it holds no pair with a grade above 0")
    return pl.DataFrame(rows, schema=["query", "document"], orient="row").unique()


def _tsv(path: str, lines: list[str]) -> Iterator[tuple[str, str, float]]:
    names = [name.strip().lower() for name in lines[0].split("\t")] if lines else []
    query, document, grade = (next((names.index(each) for each in keys if each in names), -1) for keys in _KEYS)
    headed = query >= 0 and document >= 0
    if not headed:
        query, document, grade = 0, 2, 3
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (headed and number == 1):
            continue
        cells = line.split("\t") if headed else line.split()
        try:
            yield cells[query].strip(), cells[document].strip(), float(cells[grade]) if grade >= 0 else 1.0
        except (IndexError, ValueError) as error:
            raise CallError(
                f"--labels {path}:{number}: found {line[:80]!r}; expected a header with query-id, corpus-id and score "
                "and lines of so many tab-separated cells, or TREC's four columns"
            ) from error


def _jsonl(path: str, lines: list[str]) -> Iterator[tuple[str, str, float]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            query, document, grade = (next((row[key] for key in keys if key in row), None) for keys in _KEYS)
            value = 1.0 if grade is None else float(grade)
        except (ValueError, TypeError) as error:
            raise _unreadable(path, number, line) from error
        if query is None or document is None:
            raise _unreadable(path, number, line)
        yield str(query), str(document), value


def _unreadable(path: str, number: int, line: str) -> CallError:
    return CallError(
        f"--labels {path}:{number}: found {line[:80]!r}; expected an object with query_id, doc_id and, if pairs are "
        "graded, score"
    )


_KEYS = (_QUERY, _DOCUMENT, _GRADE)
