"""`oreline calibrate`: what other ceilings would make of an output's stored candidates, as tables in a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from oreline import files
from oreline.calibration.calibration import Calibration, calibrate
from oreline.calibration.yields import Yield
from oreline.errors import CallError
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import PercentCeiling
from oreline.reports.calibrate_page import page
from oreline.reports.finished import Finished
from oreline.reports.plain import Report, visible, words
from oreline.reports.rows import value_line
from oreline.reports.selection import bars

SHOWN_SHARES = (0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0)
"""The percent ceilings that the table shows; the page and the JSON have all."""

SHOWN_OTHERS = 8
"""Margins, and scores, that the table shows."""


def calibration_of(output: str, labels: str | None = None) -> Calibration:
    """Returns the calibration of an output.

    Raises CallError if it is no output, has no candidates or is to have no negatives, or the labels cannot be read.
    """
    recipe = files.join(output, "recipe.yaml")
    if not files.exists(recipe):
        raise CallError(f"{output}: there is no recipe.yaml in it; name the output folder of a run")
    finished = Finished.of(output)
    selected = finished.manifests.get("select")
    loaded = load_recipe(recipe).recipe
    if loaded.select.negatives == 0:
        raise CallError(f"{output}: its rows are to have no negatives (select.negatives: 0), so no ceiling matters")
    return calibrate(finished, loaded, selected.counts if selected else {}, labels)


def calibrate_report(output: str, *, html: str | None, labels: str | None, as_json: bool) -> Report:
    """Returns the report on an output's ceilings, and writes the page `html` if one is asked for."""
    found = calibration_of(output, labels)
    if html is not None:
        files.write_atomically(html, page(found).encode())
    if as_json:
        return [value_line(found.to_json())]
    report: Report = [_head(found), Text("")]
    report += [_rules_table(found), Text("")]
    for kind in found.curves:
        report += [_curve_table(kind, found), Text("")]
    report += [_bands_table(found), Text(""), *_scores(found), *_shortages(found), *_suggestion(found)]
    return report + ([f"wrote {html}"] if html is not None else [])


def _head(found: Calibration) -> Text:
    left_out = f", {found.without_row:,} of them left out, as select drops them anyway" if found.without_row else ""
    known = {
        "verdicts": "relevance as the judge found it",
        "labels": "relevance as the labels say, for queries with relevant documents that the run was not shown",
        None: "nobody says which candidates are relevant",
    }
    return words(
        f"{visible(found.output)}: {found.queries:,} queries{left_out}; {found.candidates:,} stored candidates; "
        f"{found.negatives} negatives per row; {known[found.source]}; {found.seconds:.1f} s",
        "bold",
    )


def _table(first: str, found: Calibration) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column(first, overflow="fold")
    names = ["all\nnegatives", "at least\none", "mean\nscore", "% of\npositive", "gap to\npositive"]
    names += ["relevant"] if found.source else []
    names += ["partly"] if found.source == "verdicts" else []
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(found: Calibration, each: Yield) -> list[str]:
    shares = [percent(each.full_share), percent(each.some / each.queries if each.queries else None)]
    scores = [number(each.score), percent(each.of_positive), number(each.gap)]
    relevant = [percent(each.relevant)] if found.source else []
    return [*shares, *scores, *relevant, *([percent(each.partly)] if found.source == "verdicts" else [])]


def _rules_table(found: Calibration) -> Table:
    table = _table("rule (eligible ranks)", found)
    for place, each in enumerate(found.rules):
        name = f"{each.rule.told} ({each.rule.window[0]}-{each.rule.window[1]})"
        table.add_row(words(name, "bold" if place == 0 else ""), *_cells(found, each))
    return table


def _curve_table(kind: str, found: Calibration) -> Table:
    table = _table({"percent": "ceiling, % of positive", "margin": "margin", "score": "score"}[kind], found)
    for each in _shown(kind, found.curves[kind]):
        chosen = each.rule.ceiling == found.suggestion.ceiling
        table.add_row(words(each.rule.told, "bold green" if chosen else ""), *_cells(found, each))
    return table


def _shown(kind: str, curve: Sequence[Yield]) -> Sequence[Yield]:
    if kind == "percent":
        return [
            each
            for each in curve
            if isinstance(each.rule.ceiling, PercentCeiling) and each.rule.ceiling.percent_of_positive in SHOWN_SHARES
        ]
    step = max(1, len(curve) // SHOWN_OTHERS)
    return curve[::step]


def _bands_table(found: Calibration) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("score, % of positive")
    for name in ("candidates", "known of", "relevant", "partly"):
        table.add_column(name, justify="right", no_wrap=True)
    for band in found.bands:
        shares = (percent(band.relevant), percent(band.partly))
        table.add_row(band.told, f"{band.candidates:,}", f"{band.known:,}", *shares)
    return table


def _scores(found: Calibration) -> Report:
    edges = found.histogram.edges
    lines: Report = [words(f"scores from {edges[0]:.3f} to {edges[-1]:.3f}")]
    width = max(map(len, found.histogram.numbers))
    for name, numbers in found.histogram.numbers.items():
        lines.append(words(f"  {name:<{width}}  {bars(list(numbers))}"))
    return [*lines, Text("")]


def _shortages(found: Calibration) -> Report:
    if not found.shortages:
        return []
    told = ", ".join(f"{cause} {count:,}" for cause, count in sorted(found.shortages.items()))
    return [words(f"short rows of select by cause: {told}\n", "yellow")]


def _suggestion(found: Calibration) -> Report:
    suggestion = found.suggestion
    return [
        words(f"Suggested: {suggestion.settings}", "bold green"),
        words(f"{suggestion.reason[0].upper()}{suggestion.reason[1:]}."),
        words(
            "Yields are of the stored candidates: texts are not compared (select.near_equal), and a ceiling "
            "stricter than mine.ceiling fills more rows once mine has searched below it. To try one: "
            f"oreline run RECIPE --set '{suggestion.settings}' (select and export alone run again)\n",
            "dim",
        ),
    ]


def percent(share: float | None) -> str:
    """Returns a share in percent, a dash if there is none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    """Returns a score, a dash if there is none."""
    return "-" if value is None else f"{value:.3f}"
