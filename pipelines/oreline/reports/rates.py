"""Drop rates: what became of each language's, task's, writer's and dataset's queries in filter, from its manifest."""

from collections.abc import Mapping, Sequence
from typing import cast

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from oreline.filters.gates import CUTS
from oreline.filters.logprobs import HISTOGRAM as LOGPROBS
from oreline.filters.rater import HISTOGRAM as RATINGS
from oreline.filters.rates import KEPT, MERGED, PASSED_OVER, RATES
from oreline.ids import Json
from oreline.reports.plain import Report, cut, visible, words
from oreline.tables.manifest import Manifest

FACTS = frozenset({RATES, RATINGS, LOGPROBS, *CUTS})
"""The facts of filter's manifest that are told here."""

MOST_VALUES = 12
"""Values of a dimension that the table shows, those with most queries; the manifest has all."""

_LARGEST_REASONS = 3
_Fates = Mapping[str, int]


def rates_report(manifest: Manifest) -> Report:
    """Returns fates by dataset, writer, task and language, then histograms by source; nothing without such facts."""
    rates = cast("Mapping[str, Mapping[str, _Fates]]", manifest.facts.get(RATES, {}))
    report: Report = []
    if rates:
        report += [_table(rates), Text("")]
    lines = [line for name in (RATINGS, LOGPROBS) for line in _histogram(name, manifest.facts.get(name, {}))]
    for name in CUTS:
        cuts = cast("list[list[str | float]]", manifest.facts.get(name, []))
        lines += [f"{name} of {' '.join(map(str, source))}: {value}" for *source, value in cuts]
    return [*report, *(words(visible(line), "dim") for line in lines)]


def _table(rates: Mapping[str, Mapping[str, _Fates]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("queries by", no_wrap=True)
    table.add_column("", overflow="fold")
    for name in ("in", "kept", "merged", "dropped", "drop rate"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("drops by reason", overflow="fold", ratio=1)
    for dimension in ("dataset", "writer", "task", "language"):
        for number, row in enumerate(_rows(rates.get(dimension, {}))):
            table.add_row(Text("" if number else dimension, style="bold"), *row)
    return table


def _rows(values: Mapping[str, _Fates]) -> Sequence[Sequence[Text]]:
    ordered = sorted(values.items(), key=lambda each: (-sum(each[1].values()), each[0]))
    rows = [_row(words(cut(value, 40)), fates) for value, fates in ordered[:MOST_VALUES]]
    if rest := ordered[MOST_VALUES:]:
        together: dict[str, int] = {}
        for _, fates in rest:
            for fate, number in fates.items():
                together[fate] = together.get(fate, 0) + number
        rows.append(_row(Text(f"{len(rest)} more", style="dim"), together))
    return rows


def _row(value: Text, fates: _Fates) -> Sequence[Text]:
    drops = {fate: number for fate, number in fates.items() if fate not in (KEPT, MERGED, PASSED_OVER)}
    total, dropped = sum(fates.values()), sum(drops.values())
    numbers = [total, fates.get(KEPT, 0), fates.get(MERGED, 0), dropped]
    largest = sorted(drops.items(), key=lambda each: (-each[1], each[0]))
    told = ", ".join(f"{reason} {number:,}" for reason, number in largest[:_LARGEST_REASONS])
    if more := sum(number for _, number in largest[_LARGEST_REASONS:]):
        told += f", others {more:,}"
    if passed_over := fates.get(PASSED_OVER, 0):
        told = ", ".join([*([told] if told else []), f"not sampled {passed_over:,}"])
    return [value, *(Text(f"{each:,}") for each in numbers), Text(f"{dropped / total:.1%}"), Text(told, style="yellow")]


def _histogram(name: str, fact: Json) -> list[str]:
    """Returns a nested histogram as a line per source: its keys, then each value with its number."""
    lines: list[str] = []

    def walk(path: tuple[str, ...], inner: Json) -> None:
        if isinstance(inner, dict) and inner and all(isinstance(each, int) for each in inner.values()):
            counts = cast("Mapping[str, int]", inner)
            told = ", ".join(f"{value}: {counts[value]:,}" for value in sorted(counts, key=float))
            lines.append(f"{name} of {' '.join(path)}: {told}")
        elif isinstance(inner, dict):
            for key, each in inner.items():
                walk((*path, key), each)

    walk((), fact)
    return lines
