"""`oreline compare`: what two outputs differ in, as tables and example rows in a terminal."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from oreline.comparison.causes import Causes
from oreline.comparison.comparing import Comparison, compare
from oreline.comparison.rows import Hardness
from oreline.comparison.stages import Difference, StagePair
from oreline.reports.compare_rows import examples
from oreline.reports.plain import Report, cut, visible, words
from oreline.reports.rows import value_line
from oreline.reports.selection import share

SHOWN_DIFFERENCES = 30
VALUE_CHARACTERS = 60


def compare_report(old: str, new: str, *, limit: int, as_json: bool) -> Report:
    """Returns the report on two outputs, with at most `limit` rows that changed."""
    found = compare(old, new)
    if as_json:
        return [value_line(found.to_json())]
    report: Report = [words(f"OLD {visible(old)}\nNEW {visible(new)}\n", "bold")]
    report += _recipe(found.recipe)
    report += [_stages(found.stages), Text("")]
    report += _drops(found)
    report += [words(f"{each}\n", "yellow") for each in found.missing]
    if found.hardness is not None:
        report += [_changes(found), Text(""), _hardness(*found.hardness), Text("")]
    if found.causes is not None:
        report += _causes(found.causes)
    return report + examples(found, limit)


def _plain(*columns: tuple[str, str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for name, side in columns:
        right = side == "right"
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _recipe(differences: Sequence[Difference]) -> Report:
    if not differences:
        return [words("the recipes are equal\n", "dim")]
    table = _plain(("recipe", "left"), ("OLD", "left"), ("NEW", "left"))
    for each in differences[:SHOWN_DIFFERENCES]:
        table.add_row(words(visible(each.key)), words(_value(each.old)), words(_value(each.new)))
    if len(differences) > SHOWN_DIFFERENCES:
        table.add_row(Text(f"{len(differences) - SHOWN_DIFFERENCES} more: --json", style="dim"), "", "")
    return [table, Text("")]


def _value(value: object) -> str:
    return "-" if value is None else cut(str(value), VALUE_CHARACTERS)


_STATES = {
    "adopted": "NEW took over OLD's",
    "same": "the same",
    "differs": "differs",
    "only_old": "only in OLD",
    "only_new": "only in NEW",
}


def _stages(stages: Sequence[StagePair]) -> Table:
    table = _plain(("stage", "left"), ("", "left"), ("because of", "left"))
    for each in stages:
        because = [*_short(each.own), *([f"its inputs ({', '.join(each.inputs)})"] if each.inputs else [])]
        style = "" if each.state == "differs" else "dim"
        state = Text(_STATES.get(each.state, each.state), style=style)
        table.add_row(Text(each.stage, style=style), state, words(visible(", ".join(because))))
    return table


def _short(differences: Iterable[Difference]) -> list[str]:
    found = [_one(each) for each in differences]
    return found[:6] + ([f"{len(found) - 6} more"] if len(found) > 6 else [])


def _one(each: Difference) -> str:
    if isinstance(each.old, str) and isinstance(each.new, str) and max(len(each.old), len(each.new)) > 32:
        return each.key  # digests say nothing to a reader
    if isinstance(each.old, (dict, list)) or isinstance(each.new, (dict, list)):
        return each.key
    return f"{each.key} {_value(each.old)} → {_value(each.new)}"


def _drops(found: Comparison) -> Report:
    moved = [each for each in found.drops if each.old != each.new]
    if not moved:
        equal = sum(each.old for each in found.drops)
        return [words(f"drops are equal in both ({equal:,})\n", "dim")]
    table = _plain(("dropped", "left"), ("reason", "left"), ("OLD", "right"), ("NEW", "right"), ("", "right"))
    for each in moved:
        table.add_row(each.stage, each.reason, f"{each.old:,}", f"{each.new:,}", f"{each.new - each.old:+,}")
    return [table, Text("")]


def _changes(found: Comparison) -> Table:
    columns = (
        "only\nOLD",
        "only\nNEW",
        "in both",
        "positives\nchanged",
        "negatives\nchanged",
        "",
        "OLD's negatives\nkept",
    )
    table = _plain(("rows", "left"), *((name, "right") for name in columns))
    for each in found.changes:
        kept = "-" if each.kept_negatives is None else f"{100 * each.kept_negatives:.1f} %"
        numbers = [each.only_old, each.only_new, each.both, each.positives, each.negatives]
        cells = [f"{number:,}" for number in numbers]
        table.add_row(words(visible(each.dataset or "all")), *cells, share(each.negatives, each.both), kept)
    return table


_HARDNESS = (
    ("rows", "rows", "{:,.0f}"),
    ("positives per row", "positives", "{:.2f}"),
    ("negatives per row", "negatives", "{:.2f}"),
    ("short rows", "short", "{:.1%}"),
    ("relabelled rows", "relabelled", "{:.1%}"),
    ("lowest positive's score", "positive_score", "{:.3f}"),
    ("negatives' score", "score", "{:.3f}"),
    ("  relative to the positive's", "of_positive", "{:.1%}"),
    ("  below the positive's by", "gap", "{:.3f}"),
    ("negatives' rank", "rank", "{:.1f}"),
)


def _hardness(old: Hardness, new: Hardness) -> Table:
    table = _plain(("means over each output's rows", "left"), ("OLD", "right"), ("NEW", "right"))
    for told, name, form in _HARDNESS:
        values = (getattr(old, name), getattr(new, name))
        table.add_row(told, *("-" if value is None else form.format(value) for value in values))
    return table


def _causes(causes: Causes) -> Report:
    """Returns why negatives moved, in sentences."""
    lines: list[str] = []
    keys = ", ".join(_short(causes.keys))
    upstream = ", ".join(f"{stage}: {_one(each)}" for stage, each in causes.upstream[:6]) or "their inputs"
    if causes.unknown is not None:
        lines.append(f"{causes.changed:,} rows have other negatives; the cause cannot be told: {causes.unknown}")
    elif not causes.keys:
        lines.append(
            f"all {causes.changed:,} rows moved because of what came in ({upstream}); select's settings are equal"
        )
    elif not causes.inputs and not causes.both and causes.settings == causes.examined:
        lines.append(f"all {causes.changed:,} rows moved because of select's settings ({keys})")
    else:
        drawn = f" (of {causes.changed:,}, drawn by a hash)" if causes.examined < causes.changed else ""
        lines.append(
            f"Of {causes.examined:,} rows with other negatives{drawn}, selected once more from OLD's candidates:"
        )
        parts = [
            (causes.inputs, f"moved because of what came in ({upstream})"),
            (causes.settings, f"moved because of select's settings ({keys})"),
            (causes.both, "moved because of both"),
        ]
        lines += [f"  {number:>7,}  {share(number, causes.examined):>7}  {told}" for number, told in parts]
    return [words(visible_lines(lines)), Text("")]


def visible_lines(lines: Sequence[str]) -> str:
    """Returns lines in which nothing can steer a terminal; their indentation stays."""
    return "\n".join(line[: len(line) - len(line.lstrip())] + visible(line) for line in lines)
