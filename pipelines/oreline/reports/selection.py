"""What the manifest of select says beyond its books: rates, round trip against judge, histograms, warnings."""

from collections.abc import Mapping
from typing import cast

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from oreline.ids import Json
from oreline.reports.plain import Report, visible, words
from oreline.selection.rates import FACT, rates_of
from oreline.selection.small import FEW_DOCUMENTS
from oreline.tables.manifest import Manifest

SHOWN = 15
"""Values of a dimension that the table shows, those with the most queries; the manifest has all."""

FACTS = (FACT, "score_quantile", "round_trip_small_corpora")
"""The facts that are shown here as tables and sentences."""

_BLOCKS = " ▁▂▃▄▅▆▇█"


def selection_report(manifest: Manifest) -> Report:
    """Returns the tables and warnings of a finished select; empty for one that states none."""
    report: Report = [words(f"{each}\n", "yellow") for each in warnings_of(manifest)]
    for dimension, values in rates_of(manifest.facts).items():
        report += [_rates_table(dimension, values), Text("")]
    report += _agreement(manifest.counts)
    report += _histograms(cast("dict[str, dict[str, Json]]", manifest.facts.get("score_quantile", {})))
    return report


def warnings_of(manifest: Manifest) -> list[str]:
    """Returns sentences about what a finished select did that is often a mistake."""
    small = cast("dict[str, int]", manifest.facts.get("round_trip_small_corpora", {}))
    if not small:
        return []
    sizes = ", ".join(f"{visible(name)} {number:,}" for name, number in small.items())
    told = (
        f"the round trip dropped queries although few documents are searched ({sizes}): below some {FEW_DOCUMENTS:,} "
        "it has been found to hurt (Promptagator); set select.gates.round_trip.action to annotate"
    )
    return [told]


def _rates_table(dimension: str, values: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column(dimension, overflow="fold")
    for name in ("queries", "dropped", "", "relabelled", ""):
        table.add_column(name, justify="right", no_wrap=True)
    ordered = sorted(values.items(), key=lambda each: (-each[1].get("in", 0), each[0]))
    for value, events in ordered[:SHOWN]:
        number = events.get("in", 0)
        dropped, relabelled = events.get("dropped", 0), events.get("relabelled", 0)
        rates = (f"{dropped:,}", share(dropped, number), f"{relabelled:,}", share(relabelled, number))
        table.add_row(words(visible(value)), f"{number:,}", *rates)
    if len(ordered) > SHOWN:
        table.add_row(Text(f"{len(ordered) - SHOWN:,} more", style="dim"), *[""] * 5)
    return table


def _agreement(counts: Mapping[str, int]) -> Report:
    cells = {
        (found, judged): counts.get(f"round_trip_{found}_judged_{judged}", 0)
        for found in ("found", "missed")
        for judged in ("relevant", "not_relevant")
    }
    total = sum(cells.values())
    if not total:
        return []
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("the labelled positive is")
    table.add_column("judged relevant", justify="right")
    table.add_column("judged otherwise", justify="right")
    for found, name in (("found", "found again by its query"), ("missed", "not found again")):
        numbers = [cells[found, judged] for judged in ("relevant", "not_relevant")]
        table.add_row(name, *(f"{number:,} ({share(number, total)})" for number in numbers))
    agreeing = cells["found", "relevant"] + cells["missed", "not_relevant"]
    return [table, words(f"round trip and judge agree on {share(agreeing, total)} of {total:,} queries\n", "dim")]


def _histograms(sources: Mapping[str, Mapping[str, Json]]) -> Report:
    report: Report = []
    for source, told in sources.items():
        bins = cast("list[int]", told["bins"])
        limit = f"rows stay from {told['threshold']:.3f}" if told["threshold"] is not None else "no row goes"
        head = f"{visible(source)}: best positive's score, {told['rows']:,} rows, {limit}"
        report += [words(head), words(f"  {told['from']:.3f} {bars(bins)} {told['to']:.3f}", "dim")]
    return [*report, Text("")] if report else []


def bars(numbers: list[int]) -> str:
    """Returns a histogram as a line of block characters; a number above 0 is never blank."""
    most = max(numbers, default=0) or 1
    return "".join(_BLOCKS[-(-number * (len(_BLOCKS) - 1) // most)] for number in numbers)


def share(part: int, whole: int) -> str:
    """Returns a share in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
