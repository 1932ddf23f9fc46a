"""What the manifest of synthesize says beyond its books: how many queries of each kind each writer and model wrote."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from oreline.reports.plain import Report, visible, words
from oreline.tables.manifest import Manifest
from oreline.writing.histogram import FACT, NONE, Cell, histogram

FACTS = (FACT,)
"""The facts that are shown here as tables."""

SHOWN = 12
"""Languages that the table shows, those with the most queries; the manifest has all."""


def written_report(manifest: Manifest) -> Report:
    """Returns the tables of a finished synthesize: writer and kind by model, then writer by language; else nothing."""
    cells = histogram(manifest.facts)
    if not cells:
        return []
    models = list(dict.fromkeys(cell.model for cell in cells))
    kinds = _sums(cells, lambda cell: (cell.writer, cell.kind, cell.model))
    report: Report = [_table(("writer", "kind"), models, kinds, {NONE: "no model"}), Text("")]
    spoken = Counter[str]()
    for cell, number in cells.items():
        spoken[cell.lang] += number
    if set(spoken) != {NONE}:
        shown = [lang for lang, _ in sorted(spoken.items(), key=lambda each: (-each[1], each[0]))]
        langs = _sums(cells, lambda cell: (cell.writer, cell.lang if cell.lang in shown[:SHOWN] else "more"))
        columns = [*shown[:SHOWN], *(["more"] if len(shown) > SHOWN else [])]
        report += [_table(("writer",), columns, langs, {NONE: "unknown"}), Text("")]
    return report


def _sums(cells: Mapping[Cell, int], key: Callable[[Cell], tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    found = Counter[tuple[str, ...]]()
    for cell, number in cells.items():
        found[key(cell)] += number
    return found


def _table(
    names: tuple[str, ...],
    columns: Iterable[str],
    numbers: Mapping[tuple[str, ...], int],
    told: Mapping[str, str],
) -> Table:
    """Returns a table of numbers: the last part of a key is the column, those before it are the row."""
    listed = list(columns)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for name in names:
        table.add_column(name, overflow="fold")
    for name in (*listed, "queries"):
        table.add_column(visible(told.get(name, name)), justify="right", overflow="fold")
    for row in dict.fromkeys(key[:-1] for key in numbers):
        found = [numbers.get((*row, column), 0) for column in listed]
        shown = [f"{number:,}" if number else "" for number in found]
        table.add_row(*(words(visible(each)) for each in row), *shown, f"{sum(found):,}")
    return table
