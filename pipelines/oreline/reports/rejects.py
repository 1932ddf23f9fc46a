"""Rejects: what was dropped, why, by which rule or row, and what it held."""

from collections import Counter
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oreline.ids import seeded_fraction
from oreline.reasons import REASONS
from oreline.records import Reject
from oreline.reports.plain import Report, cut, visible, words
from oreline.reports.rows import json_line
from oreline.tables.manifest import Manifest
from oreline.tables.reading import iterate
from oreline.tables.schema import from_arrow

PAYLOAD_CHARACTERS = 240


def rejects_report(output: str, manifests: Mapping[str, Manifest], limit: int, seed: int, *, as_json: bool) -> Report:
    """Returns counts by stage and reason, then at most `limit` rejects, drawn by a hash of their ids.

    Every reason is shown before one is shown twice. As JSON: a line per reject with its stage.
    """
    drawn = drawn_rejects(output, manifests, limit, seed)
    if as_json:
        return [json_line({"stage": stage, **vars(reject)}) for stage, reject in drawn]
    counts = [(name, reason, number) for name, each in manifests.items() for reason, number in each.drops.items()]
    if not counts:
        return [words("nothing was dropped")]
    return [_counts_table(counts), Text(""), *(reject_card(stage, reject) for stage, reject in drawn)]


def drawn_rejects(output: str, manifests: Mapping[str, Manifest], limit: int, seed: int) -> list[tuple[str, Reject]]:
    """Returns at most `limit` rejects with their stages: the first of each reason, then the second of each, ..."""
    best: dict[tuple[str, str], list[tuple[float, Reject]]] = {}
    for stage, manifest in manifests.items():
        for block in iterate(output, manifest.tables.get("rejects", ())):
            for reject in from_arrow(Reject, block):
                found = best.setdefault((stage, reject.reason), [])
                found.append((seeded_fraction(seed, "show", reject.row_id, reject.detail), reject))
                if len(found) > 4 * limit + 100:
                    found.sort(key=_drawn_first)
                    del found[limit:]
    ranked = [
        (place, number, stage, reject)
        for number, ((stage, _), found) in enumerate(best.items())
        for place, (_, reject) in enumerate(sorted(found, key=_drawn_first))
    ]
    ranked.sort(key=lambda each: each[:2])
    chosen = sorted(ranked[:limit], key=lambda each: (each[1], each[0]))
    return [(stage, reject) for _, _, stage, reject in chosen]


def reject_card(stage: str, reject: Reject) -> Group:
    """Returns a reject as a person reads it."""
    head = words(f"{stage} {reject.reason}  ", "yellow")
    head.append(visible(reject.row_id), style="bold")
    lines: list[Text | Padding] = [head, Padding(words(visible(reject.detail)), (0, 0, 0, 2))]
    if reject.by:
        lines.append(Padding(words(f"by {visible(reject.by)}", "dim"), (0, 0, 0, 2)))
    if reject.payload:
        lines.append(Padding(words(cut(reject.payload, PAYLOAD_CHARACTERS), "dim"), (0, 0, 0, 2)))
    return Group(*lines, Text(""))


def _drawn_first(each: tuple[float, Reject]) -> tuple[float, str, str]:
    return each[0], each[1].row_id, each[1].detail


def _counts_table(counts: list[tuple[str, str, int]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("meaning", overflow="fold")
    order = {name: place for place, name in enumerate(Counter(name for name, _, _ in counts))}
    for stage, reason, number in sorted(counts, key=lambda each: (order[each[0]], -each[2], each[1])):
        table.add_row(stage, reason, f"{number:,}", words(REASONS.get(reason, "a reason of another version")))
    return table
