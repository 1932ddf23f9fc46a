"""The journal counted: answers by prompt, model and status, with what they used."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.table import Table

from oreline import files
from oreline.ids import Json
from oreline.reports.plain import Report, visible, words
from oreline.reports.rows import value_line

_KEY = ("stage", "prompt_id", "prompt_version", "model", "status")
_TOKENS = ("prompt_tokens", "thinking_tokens", "output_tokens")


@dataclass
class _Sums:
    answers: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TOKENS, 0))


def journal_report(path: str, *, as_json: bool) -> Report:
    """Returns the number of answers and tokens by stage, prompt, model and status.

    `path` is a journal, a version folder or a lane of it. Files that are no whole segments are named, not counted.
    """
    sums: dict[tuple[str, ...], _Sums] = {}
    segments, broken = 0, []
    for found in files.walk(path):
        if not found.path.endswith(".parquet"):
            continue
        try:
            with files.open_read(found.path) as file:
                table = pq.read_table(file, columns=[*_KEY, *_TOKENS])
        except (pa.ArrowException, OSError):
            broken.append(found.path)
            continue
        segments += 1
        _add(table, sums)
    if as_json:
        return [value_line(line) for line in _lines(sums)]
    report: Report = [words(f"{segments:,} segments, {sum(each.answers for each in sums.values()):,} answers")]
    report += [words(f"not a whole segment: {visible(each)}", "yellow") for each in broken]
    return [*report, _table(sums)] if sums else report


def _add(table: pa.Table, sums: dict[tuple[str, ...], _Sums]) -> None:
    for row in table.to_pylist():
        entry = sums.setdefault(tuple("" if row[name] is None else str(row[name]) for name in _KEY), _Sums())
        entry.answers += 1
        for name in _TOKENS:
            entry.tokens[name] += row[name] or 0


def _lines(sums: dict[tuple[str, ...], _Sums]) -> list[dict[str, Json]]:
    return [
        {**dict(zip(_KEY, key, strict=True)), "answers": entry.answers, **entry.tokens}
        for key, entry in sorted(sums.items())
    ]


def _table(sums: dict[tuple[str, ...], _Sums]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("stage", "prompt", "version", "model", "status"):
        table.add_column(name, overflow="fold")
    for name in ("answers", "prompt tokens", "thinking tokens", "output tokens"):
        table.add_column(name, justify="right")
    for key, entry in sorted(sums.items()):
        numbers = [f"{number:,}" for number in (entry.answers, *entry.tokens.values())]
        table.add_row(*(words(visible(each)) for each in key), *numbers)
    return table
