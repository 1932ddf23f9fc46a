"""The commit of a stage: its last node gathers the reports, checks the books and writes the manifest."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from oreline import files
from oreline.ids import Json, Tally
from oreline.job import PATH, Job, Report, StopKind
from oreline.stages.catalog import Stage
from oreline.tables.manifest import Books, Manifest, broken_parts, whole_manifest, write_manifest
from oreline.tables.parts import Part


@dataclass(frozen=True)
class Pending:
    """What is known of a stage before it runs, and stands in its manifest afterwards.

    `written` is the time of the run in ISO 8601, given so that no worker reads a clock.
    """

    fingerprint: str
    ingredients: dict[str, Json]
    written: str


@dataclass(frozen=True)
class Outcome:
    """How a job ended when it wrote no manifest: an expected stop, or a failure that the stage found itself."""

    stopped: StopKind | None
    failure: str | None
    message: str
    counts: dict[str, int] = field(default_factory=dict)


def outcome_path(output: str, stage: str) -> str:
    """Returns where a job leaves its outcome if it wrote no manifest."""
    return files.join(output, "_progress", f"{stage}.outcome.json")


def read_outcome(output: str, stage: str) -> Outcome | None:
    """Returns the outcome that the last job of a stage left, or None if it left none."""
    path = outcome_path(output, stage)
    if not files.exists(path):
        return None
    body = json.loads(files.read_bytes(path))
    return Outcome(body["stopped"], body["failure"], body["message"], body["counts"])


def commit(job: Job, stage: Stage, pending: Pending, reports: Iterable[Report]) -> None:
    """Checks the books of a finished job and writes its manifest, or its outcome if it stopped or failed.

    May run twice with the same reports. Where a table's content equals that of the earlier manifest, the earlier
    parts stay, so that stages that list them by reference remain valid.
    """
    total = _gather(reports)
    if total.stopped or total.failure:
        _write_outcome(job, Outcome(total.stopped, total.failure, total.message or "", total.counts))
        return
    tables = _tables(job, stage, total.parts)
    books = total.books
    if stage.units:
        books = replace(books, units=_units(job, stage))
    drops = Counter[str]()
    for part in tables.get("rejects", ()):
        drops.update(part.kinds)
    manifest = Manifest(
        stage=stage.name,
        version=stage.version,
        fingerprint=pending.fingerprint,
        ingredients=pending.ingredients,
        tables=tables,
        books=books,
        drops=dict(drops),
        counts=total.counts,
        written=pending.written,
        facts=total.facts,
    )
    problem = _imbalance(stage, manifest) or stage.audit(job.recipe, manifest)
    if problem is not None:
        _write_outcome(job, Outcome(None, "conservation", problem, total.counts))
        return
    write_manifest(job.output, _keep_earlier_parts(job.output, manifest))


def _gather(reports: Iterable[Report]) -> Report:
    parts: list[Part] = []
    books, counts, facts = Books(), Counter[str](), dict[str, Json]()
    stopped: StopKind | None = None
    failure: str | None = None
    message: str | None = None
    for report in reports:
        parts.extend(report.parts)
        books += report.books
        counts.update(report.counts)
        facts.update(report.facts)
        if report.failure and failure is None:
            failure, message = report.failure, report.message
        if report.stopped and stopped in (None, "interrupted"):
            stopped, message = report.stopped, message if failure else report.message
    plain = {name: number for name, number in counts.items() if PATH not in name}
    facts.update(_nested(counts))
    return Report(tuple(parts), books, plain, facts, stopped, failure, message)


def _nested(counts: Mapping[str, int]) -> dict[str, Json]:
    """Returns the counts that `StageWriter.tally` made as the nested facts that their names say, sorted."""
    facts: dict[str, Json] = {}
    for name, number in sorted(counts.items()):
        *path, last = name.split(PATH)
        if path:
            inner = facts
            for key in path:
                inner = cast("dict[str, Json]", inner.setdefault(key, {}))
            inner[last] = number
    return facts


def _tables(job: Job, stage: Stage, parts: Iterable[Part]) -> dict[str, tuple[Part, ...]]:
    tables: dict[str, list[Part]] = {name: [] for name in (*stage.writes, *stage.adds, "fates", "rejects")}
    for name in stage.adds:
        tables[name].extend(job.parts(name))
    for part in parts:
        tables.setdefault(part.table, []).append(part)
    return {name: tuple(sorted(each, key=lambda part: part.path)) for name, each in tables.items()}


def _units(job: Job, stage: Stage) -> Tally:
    tallies = (part.ids for table in stage.units for part in job.parts(table))
    return sum(tallies, Tally())


def _imbalance(stage: Stage, manifest: Manifest) -> str | None:
    """Returns a sentence that names the first book that does not balance, or None if all do."""
    books = manifest.books
    counts = manifest.counts
    if not books.balanced:
        lines = ", ".join(
            f"{name} {getattr(books, name).count}" for name in ("kept", "merged", "passed_over", "dropped")
        )
        return f"units in: {books.units.count}, but {lines} (counts or id hashes differ); this is a bug in oreline"
    if stage.kept_in is not None and manifest.ids(stage.kept_in) != books.kept:
        found = manifest.ids(stage.kept_in).count
        return f"{books.kept.count} units kept, but {stage.kept_in} has {found} rows (or other ids); this is a bug"
    if sum(manifest.drops.values()) < books.dropped.count:
        return f"{books.dropped.count} units dropped, but only {sum(manifest.drops.values())} rejects; this is a bug"
    if counts.get("requests", 0) != counts.get("answers", 0) + counts.get("answer_rejects", 0):
        answered = f"{counts.get('answers', 0)} answers and {counts.get('answer_rejects', 0)} rejects"
        return f"{counts.get('requests', 0)} requests, but {answered}; this is a bug in oreline"
    return None


def _keep_earlier_parts(output: str, manifest: Manifest) -> Manifest:
    earlier = whole_manifest(output, manifest.stage)
    if earlier is None or broken_parts(output, earlier):
        return manifest
    equal: Mapping[str, tuple[Part, ...]] = {
        name: earlier.tables[name]
        for name in manifest.tables
        if name in earlier.tables
        and earlier.digest(name) == manifest.digest(name)
        and earlier.rows(name) == manifest.rows(name)
    }
    return manifest.with_tables(equal)


def _write_outcome(job: Job, outcome: Outcome) -> None:
    body = {
        "stopped": outcome.stopped,
        "failure": outcome.failure,
        "message": outcome.message,
        "counts": cast("Json", outcome.counts),
    }
    files.write_atomically(outcome_path(job.output, job.stage), json.dumps(body).encode())


def sweep(output: str, stage: str) -> None:
    """Deletes what a stage's folder holds and its manifest does not list; called under the output's lock.

    A damaged manifest lists nothing, but stays: it says why its stage runs again.
    """
    manifest = whole_manifest(output, stage)
    listed = {part.path for parts in manifest.tables.values() for part in parts} if manifest else set()
    root = files.join(output, stage)
    for found in list(files.walk(root)):
        relative = f"{stage}/{found.path[len(root) :].lstrip('/')}"
        if relative in listed or relative == f"{stage}/manifest.json":
            continue
        files.delete(found.path)
    files.delete(files.join(root, "_scratch"))
