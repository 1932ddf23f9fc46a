"""The table of fates: what became of every unit, stage by stage."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from oreline.ids import Json
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import Manifest

UNITS = {
    "ingest": "source rows",
    "dedup": "documents",
    "synthesize": "documents",
    "filter": "queries",
    "embed": "documents, queries",
    "mine": "queries",
    "judge": "judgements",
    "select": "queries",
    "export": "triples",
}
"""What a stage counts."""

LARGEST_DROPS = 4
"""Drop reasons that the table names; the JSON form has all."""

_BOOKS = ("kept", "merged", "passed_over", "dropped")


@dataclass(frozen=True)
class StageFates:
    """One stage's line: counts of units by fate, rows by table, drops by reason; or why it was skipped."""

    stage: str
    units: int = 0
    kept: int = 0
    merged: int = 0
    passed_over: int = 0
    dropped: int = 0
    drops: tuple[tuple[str, int], ...] = ()
    rows: tuple[tuple[str, int], ...] = ()
    skipped: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Returns the line as a JSON object; a skipped stage has `skipped` and no counts."""
        if self.skipped is not None:
            return {"stage": self.stage, "skipped": self.skipped}
        counts: dict[str, Json] = {name: int(getattr(self, name)) for name in _BOOKS}
        return {
            "stage": self.stage,
            "unit": UNITS[self.stage],
            "in": self.units,
            **counts,
            "drops": dict(self.drops),
            "rows": dict(self.rows),
        }


def stage_fates(manifest: Manifest) -> StageFates:
    """Returns a finished stage's line; drops stand largest first, `fates` and `rejects` are no rows out."""
    books = manifest.books
    return StageFates(
        stage=manifest.stage,
        units=books.units.count,
        kept=books.kept.count,
        merged=books.merged.count,
        passed_over=books.passed_over.count,
        dropped=books.dropped.count,
        drops=tuple(sorted(manifest.drops.items(), key=lambda each: (-each[1], each[0]))),
        rows=tuple((name, manifest.rows(name)) for name in manifest.tables if name not in ("fates", "rejects")),
    )


def all_fates(manifests: Mapping[str, Manifest], skips: Mapping[str, str]) -> list[StageFates]:
    """Returns the lines of all stages that ran or were skipped, in order; `skips` gives the causes.

    A stage that is in neither did not run yet and has no line.
    """
    lines = []
    for stage in STAGES:
        if stage.name in skips:
            lines.append(StageFates(stage.name, skipped=skips[stage.name]))
        elif stage.name in manifests:
            lines.append(stage_fates(manifests[stage.name]))
    return lines


def fates_json(manifests: Mapping[str, Manifest], skips: Mapping[str, str]) -> list[Json]:
    """Returns the table of fates as one JSON object per stage."""
    return [line.to_json() for line in all_fates(manifests, skips)]


def fates_table(manifests: Mapping[str, Manifest], skips: Mapping[str, str]) -> Table:
    """Returns the table of fates: in = kept + merged + passed over + dropped, from the manifests' books."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("stage", no_wrap=True)
    for name in ("in", "kept", "merged", "passed\nover", "dropped"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rows out, drops by reason", overflow="fold", ratio=1)
    for line in all_fates(manifests, skips):
        if line.skipped is not None:
            blanks = [Text("-", style="dim")] * 5
            table.add_row(Text(line.stage, style="dim"), *blanks, Text(f"skipped: {line.skipped}", style="dim"))
            continue
        numbers = [f"{number:,}" for number in (line.units, *(int(getattr(line, name)) for name in _BOOKS))]
        table.add_row(Text(line.stage, style="bold"), *numbers, _outcome(line))
    return table


def largest_drops(manifests: Mapping[str, Manifest], number: int = LARGEST_DROPS) -> list[tuple[str, str, int]]:
    """Returns (stage, reason, count) of the largest drop reasons of a whole run, largest first."""
    found = [(name, reason, count) for name, manifest in manifests.items() for reason, count in manifest.drops.items()]
    return sorted(found, key=lambda each: (-each[2], each[0], each[1]))[:number]


def _outcome(line: StageFates) -> Text:
    rows = ", ".join(f"{name} {number:,}" for name, number in line.rows)
    outcome = Text(rows or f"({UNITS[line.stage]})", overflow="fold")
    shown = line.drops[:LARGEST_DROPS]
    for reason, number in shown:
        outcome.append(f"\n{reason} {number:,}", style="yellow")
    if len(line.drops) > len(shown):
        rest = sum(number for _, number in line.drops[len(shown) :])
        outcome.append(f"\n{len(line.drops) - len(shown)} more reasons {rest:,}", style="yellow")
    return outcome
