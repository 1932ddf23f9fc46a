"""Contamination: what training rows and benchmarks have in common, benchmark by benchmark and match by match."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oreline import files
from oreline.errors import CallError
from oreline.ids import Json, seeded_fraction
from oreline.recipe.loading import load_recipe
from oreline.records import Contamination
from oreline.reports.plain import Report, cut, visible, words
from oreline.reports.rows import json_line, value_line
from oreline.tables.manifest import Manifest
from oreline.tables.reading import iterate
from oreline.tables.schema import from_arrow

_TEXT_CHARACTERS = 200
_FATES = ("dropped", "reported")
_TABLES = ("queries", "documents")
_COMPARED_BY = {"queries": "filter", "documents": "dedup"}


@dataclass
class Overlap:
    """What one benchmark has in common with the training rows of an output.

    `texts` counts its rows by role, `found` those that some training row matches (of which at most 16 are listed for
    one training row; a short one may count with its title and without, but never more than there are), `rows` the
    training rows that match, by (table, `dropped` or `reported`), `compared` the tables that were compared with it by
    now.
    """

    name: str
    task: str | None
    texts: dict[str, int]
    declared: bool
    found: Counter[str] = field(default_factory=Counter)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    compared: set[str] = field(default_factory=set)

    def to_json(self) -> dict[str, Json]:
        """Returns the overlap as a JSON object; a table that was not compared yet is null."""
        rows: dict[str, Json] = {
            table: {fate: self.rows[table, fate] for fate in _FATES} if table in self.compared else None
            for table in _TABLES
        }
        return {
            "benchmark": self.name,
            "task": self.task,
            "declared": self.declared,
            "texts": dict(self.texts),
            "found": {role: self.found[role] for role in self.texts},
            **rows,
        }


def overlaps(output: str, manifests: Mapping[str, Manifest]) -> list[Overlap]:
    """Returns the overlap with each benchmark that the finished stages compared rows with, in the recipe's order."""
    declared = declared_tasks(output)
    found: dict[str, Overlap] = {}
    for stage, manifest in manifests.items():
        for fact in cast("list[dict[str, Json]]", manifest.facts.get("benchmarks", [])):
            name, task = str(fact["name"]), cast("str | None", fact["task"])
            texts = cast("dict[str, int]", fact["texts"])
            overlap = found.setdefault(name, Overlap(name, task, texts, task is not None and task in declared))
            overlap.compared.update(table for table, by in _COMPARED_BY.items() if by == stage)
        for counted, number in manifest.counts.items():
            kind, _, rest = counted.partition("/")
            if kind == "contaminated":
                name, table, fate = rest.rsplit("/", 2)
                found[name].rows[table, fate] += number
    rows: Counter[tuple[str, str, str]] = Counter()
    for _, match in _matches(output, manifests):
        # A short row has one label with its title and without, and perhaps fewer equal rows with it.
        key = (match.benchmark, match.role, match.test_row)
        rows[key] = max(rows[key], match.equal_rows)
    for (benchmark, role, _), number in rows.items():
        own = found[benchmark]
        own.found[role] = min(own.texts.get(role, 0), own.found[role] + number)
    return list(found.values())


def declared_tasks(output: str) -> list[str]:
    """Returns the MTEB tasks that the recipe's sources are declared to be the training data of, sorted."""
    path = files.join(output, "recipe.yaml")
    if not files.exists(path):
        return []
    return sorted({source.mteb_task for source in load_recipe(path).recipe.sources if source.mteb_task is not None})


def benchmarks_report(output: str, manifests: Mapping[str, Manifest]) -> Report:
    """Returns a table with a row per benchmark, and the declared tasks; nothing where neither is there."""
    report: Report = []
    found = overlaps(output, manifests)
    if found:
        report += [_table(found), Text("")]
    declared = declared_tasks(output)
    if declared:
        report.append(words(f"declared as training data of MTEB tasks: {visible(', '.join(declared))}\n"))
    return report


def benchmarks_lines(output: str, manifests: Mapping[str, Manifest]) -> list[str]:
    """Returns what `benchmarks_report` shows as lines of JSON: one per benchmark, and one with the declared tasks."""
    lines = [value_line(each.to_json()) for each in overlaps(output, manifests)]
    declared: list[Json] = [*declared_tasks(output)]
    return [*lines, value_line({"declared_mteb_tasks": declared})] if declared else lines


def contamination_report(
    output: str, manifests: Mapping[str, Manifest], limit: int, seed: int, *, as_json: bool
) -> Report:
    """Returns the overlap by benchmark, then at most `limit` matches, drawn by a hash, each with both texts.

    Matches that dropped a row come before those that are only reported. As JSON: a line per benchmark, then a line per
    match. Raises CallError where no finished stage compared rows with a benchmark.
    """
    found = overlaps(output, manifests)
    if not found:
        raise CallError(f"{output}: no finished stage compared rows with a benchmark; set decontaminate.against")
    drawn = _drawn(output, manifests, limit, seed)
    if as_json:
        return [
            *benchmarks_lines(output, manifests),
            *(json_line({"stage": stage, **vars(match)}) for stage, match in drawn),
        ]
    return [*benchmarks_report(output, manifests), *(_card(stage, match) for stage, match in drawn)]


def _matches(output: str, manifests: Mapping[str, Manifest]) -> Iterator[tuple[str, Contamination]]:
    for stage, manifest in manifests.items():
        for block in iterate(output, manifest.tables.get("contamination", ())):
            for match in from_arrow(Contamination, block):
                yield stage, match


def _drawn(output: str, manifests: Mapping[str, Manifest], limit: int, seed: int) -> list[tuple[str, Contamination]]:
    """Returns at most `limit` matches: dropped ones first, then by a hash of what they are."""
    kept: list[tuple[tuple[bool, float, str], str, Contamination]] = []
    for stage, match in _matches(output, manifests):
        drawn = seeded_fraction(seed, "show", match.row_id, match.benchmark, match.test_row)
        kept.append(((not match.dropped, drawn, repr(match)), stage, match))
        if len(kept) > 4 * limit + 1_000:
            kept = sorted(kept, key=lambda each: each[0])[:limit]
    return [(stage, match) for _, stage, match in sorted(kept, key=lambda each: each[0])[:limit]]


def _table(found: Sequence[Overlap]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    tasks = any(each.task for each in found)
    for name in ("benchmark", "MTEB task") if tasks else ("benchmark",):
        table.add_column(name, overflow="fold")
    table.add_column("its texts found in the training rows", overflow="fold", ratio=1)
    for name in ("queries\ndropped", "queries\nreported", "documents\ndropped", "documents\nreported"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        texts = "\n".join(f"{_plural(role)} {each.found[role]:,} of {total:,}" for role, total in each.texts.items())
        task = f"{each.task}{' (declared)' if each.declared else ''}" if each.task else "-"
        names = [words(visible(each.name), "bold"), *([words(visible(task))] if tasks else [])]
        table.add_row(*names, words(texts or "no text"), *_counts(each))
    return table


def _counts(overlap: Overlap) -> Iterator[str]:
    """Yields the training rows by table and fate; a table that was not compared yet has no numbers, not none."""
    for name in _TABLES:
        for fate in _FATES:
            yield f"{overlap.rows[name, fate]:,}" if name in overlap.compared else "not yet"


def _plural(role: str) -> str:
    return {"query": "queries", "relevant": "relevant documents", "other": "other documents", "text": "texts"}[role]


def _card(stage: str, match: Contamination) -> Group:
    head = words(f"{stage} {'dropped' if match.dropped else 'reported'}  ", "yellow")
    head.append(visible(match.row_id), style="bold")
    head.append(f"  {match.match} {match.share:.2f}  {visible(match.benchmark)} {visible(match.test_row)}", style="dim")
    return Group(
        head,
        Padding(words(f"training: {cut(match.text, _TEXT_CHARACTERS)}"), (0, 0, 0, 2)),
        Padding(words(f"{match.role}: {cut(match.test_text, _TEXT_CHARACTERS)}"), (0, 0, 0, 2)),
        Text(""),
    )
