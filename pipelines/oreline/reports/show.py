"""`oreline show`: whatever a path of ours is, readable in a terminal or as JSON lines."""

import json
from collections.abc import Iterator, Sequence

from rich.rule import Rule
from rich.text import Text

from oreline import files
from oreline.errors import BrokenTable, CallError
from oreline.exporters.examples import Example
from oreline.exporters.jsonl import object_of
from oreline.ids import Json
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Recipe
from oreline.records import ID_COLUMN
from oreline.reports import indexes, judges, miners, rates, train, vectors, written
from oreline.reports import rejects as rejected
from oreline.reports.clusters import clusters as clustered
from oreline.reports.contamination import benchmarks_lines, benchmarks_report, contamination_report
from oreline.reports.fates import all_fates, fates_table
from oreline.reports.finished import Finished, manifests_of, sample_ids
from oreline.reports.journal import answers_report, journal_report
from oreline.reports.places import Place, place_of
from oreline.reports.plain import Report, visible, words
from oreline.reports.rows import json_line, row_card, value_line
from oreline.reports.selection import FACTS, selection_report
from oreline.reports.triples import drawn_triples, triple_card
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import Manifest, read_manifest
from oreline.tables.parts import Part

SEED = 13
"""Seed of the rows that are drawn; the same rows are shown every time."""

_ASIDE = ("contamination", "fates", "rejects")

SAMPLE_TRIPLES = 3
"""Triples that an output's report shows, unless `limit` is smaller."""


def show(  # noqa: C901, PLR0911 - one return per kind of path
    path: str,
    *,
    rejects: bool = False,
    clusters: bool = False,
    contamination: bool = False,
    limit: int = 10,
    as_json: bool = False,
) -> Report:
    """Returns a report on a path; print it with `plain.print_report`.

    Rows are drawn by a hash of their ids, at most `limit`; with `as_json` the report is lines of JSON. `rejects` shows
    dropped rows with their reasons, `clusters` the duplicates beside their keepers, `contamination` what training rows
    and benchmarks have in common; they need an output, a stage or a table of one.

    Raises CallError for a path that is nothing of ours, or one that has none of what is asked for; BrokenTable for a
    damaged manifest or part.
    """
    if limit < 0:
        raise CallError(f"--limit is {limit}; give 0 or more")
    place = place_of(path)
    asked = {"--rejects": rejects, "--clusters": clusters, "--contamination": contamination}
    if any(asked.values()):
        return _dropped(place, [name for name, wanted in asked.items() if wanted], limit, as_json=as_json)
    match place.kind:
        case "output":
            return _output(place, limit, as_json=as_json)
        case "stage" | "manifest":
            return _stage(place, limit, as_json=as_json)
        case "table":
            return _table(place, limit, as_json=as_json)
        case "journal":
            return journal_report(place.path, as_json=as_json)
        case "answers":
            return answers_report(place.path, as_json=as_json)
        case "vectors":
            return vectors.vectors_report(place.path, as_json=as_json)
        case "recipe":
            return _recipe(place.path, as_json=as_json)
        case "train":
            return train.folder_report(place.path, limit, as_json=as_json)
        case "parquet" | "jsonl":
            return train.file_report(place.path, limit, as_json=as_json)


def _dropped(place: Place, asked: Sequence[str], limit: int, *, as_json: bool) -> Report:
    if place.kind not in ("output", "stage", "manifest", "table"):
        raise CallError(f"{place.path}: {asked[0]} needs an output folder, or a stage or table of one")
    manifests = manifests_of(place.output)
    if place.kind != "output" and place.stage:
        manifests = {stage: manifest for stage, manifest in manifests.items() if stage == place.stage}
    if not manifests:
        raise CallError(f"{place.path}: no stage is finished there, so nothing was dropped yet")
    reports = {
        "--rejects": rejected.rejects_report,
        "--clusters": clustered,
        "--contamination": contamination_report,
    }
    report: Report = []
    for name in asked:
        report += reports[name](place.output, manifests, limit, SEED, as_json=as_json)
    return report


def _output(place: Place, limit: int, *, as_json: bool) -> Report:
    finished = Finished.of(place.output)
    skips = skips_of(place.output)
    examples = _examples(finished, min(limit, SAMPLE_TRIPLES))
    if as_json:
        lines: list[Json] = [line.to_json() for line in all_fates(finished.manifests, skips)]
        told = benchmarks_lines(place.output, finished.manifests)
        return [*map(value_line, lines), *told, *(value_line(object_of(example, None)) for example in examples)]
    report: Report = []
    if finished.manifests:
        report += [fates_table(finished.manifests, skips), Text("")]
    not_run = [each.name for each in STAGES if each.name not in finished.manifests and each.name not in skips]
    if not_run:
        report.append(words(f"not run yet: {', '.join(not_run)}\n", "yellow"))
    report += benchmarks_report(place.output, finished.manifests)
    report += [triple_card(example) for example in examples]
    return [*report, *_paths(finished)]


def skips_of(output: str) -> dict[str, str]:
    """Returns the causes of the stages that an output's recipe skips; empty if the recipe is not there."""
    path = files.join(output, "recipe.yaml")
    if not files.exists(path):
        return {}
    recipe: Recipe = load_recipe(path).recipe
    causes = {stage.name: stage.skipped(recipe) for stage in STAGES}
    return {name: cause for name, cause in causes.items() if cause is not None}


def _examples(finished: Finished, number: int) -> list[Example]:
    ids = sample_ids(finished.output, "triples", finished.parts("triples"), number, SEED) if number else []
    return drawn_triples(finished, ids)


def _paths(finished: Finished) -> Iterator[str]:
    """Yields finished lines: a path that is wrapped cannot be copied."""
    yield from train.folders(finished.output, finished.manifests.get("export"))
    for name, manifest in finished.manifests.items():
        tables = [table for table in manifest.tables if manifest.tables[table] and "/" not in table]
        if tables:
            yield f"{visible(files.join(finished.output, name))}  {', '.join(tables)}"


def _stage(place: Place, limit: int, *, as_json: bool) -> Report:
    manifest = read_manifest(place.output, place.stage)
    if manifest is None:
        raise CallError(f"{place.path}: there is no manifest of a stage {place.stage!r} in {place.output}")
    if as_json:
        return [value_line(manifest.to_json())]
    report: Report = [fates_table({manifest.stage: manifest}, {}), Text(""), *rates.rates_report(manifest)]
    for table, parts in manifest.tables.items():
        size = sum(part.size for part in parts)
        report.append(words(f"{table}: {manifest.rows(table):,} rows, {len(parts)} parts, {size / 2**20:,.1f} MB"))
    report += [words(f"{name}: {number:,}", "dim") for name, number in manifest.counts.items()]
    told = {*FACTS, *indexes.FACTS, *judges.FACTS, *miners.FACTS, *rates.FACTS, *vectors.FACTS, *written.FACTS}
    facts = {name: fact for name, fact in manifest.facts.items() if name not in told}
    report += [words(f"{name}: {visible(json.dumps(fact))}", "dim") for name, fact in facts.items()]
    report += vectors.stores_report(manifest)
    report += indexes.indexes_report(manifest)
    report += miners.miners_report(manifest)
    report += judges.judges_report(manifest)
    report.append(
        words(f"written {manifest.written}, version {manifest.version}, {manifest.fingerprint[:12]}\n", "dim")
    )
    report += written.written_report(manifest)
    report += selection_report(manifest)
    tables = sorted(manifest.tables, key=lambda name: name == "pairs")  # of filter, the queries with their ratings
    main = next((name for name in tables if name in ID_COLUMN and name not in _ASIDE), None)
    if main is not None and limit:
        report += _table(Place("table", place.path, place.output, place.stage, main), min(limit, 3), as_json=False)
    return report


def _table(place: Place, limit: int, *, as_json: bool) -> Report:
    manifest, parts = _parts(place)
    column = ID_COLUMN[place.table]
    ids = sample_ids(place.output, place.table, parts, limit, SEED) if limit else []
    if place.table == "triples" and not as_json:
        finished = Finished.of(place.output)
        return [_heading(place.table, manifest, len(ids)), *map(triple_card, drawn_triples(finished, ids))]
    rows = Finished(place.output, {}).within(place.table, parts, column, ids, columns=None).to_pylist()
    order = {each: number for number, each in enumerate(ids)}
    rows.sort(key=lambda row: (order[row[column]], repr(row)))
    if as_json:
        return [json_line(row) for row in rows[:limit]]
    return [_heading(place.table, manifest, len(rows[:limit])), *(row_card(row, column) for row in rows[:limit])]


def _parts(place: Place) -> tuple[Manifest, tuple[Part, ...]]:
    if not place.stage:
        finished = Finished.of(place.output)
        stage = finished.inputs.get(place.table)
        if stage is None:
            raise CallError(
                f"{place.path}: no finished stage wrote {place.table}; there are {', '.join(finished.inputs) or 'none'}"
            )
        return finished.manifests[stage], finished.parts(place.table)
    manifest = read_manifest(place.output, place.stage)
    if manifest is None or place.table not in manifest.tables:
        tables = ", ".join(manifest.tables) if manifest else "none"
        raise BrokenTable(f"{place.path}: {place.stage} has no finished table {place.table!r}; its tables: {tables}")
    return manifest, manifest.tables[place.table]


def _heading(table: str, manifest: Manifest, shown: int) -> Rule:
    return Rule(f"{table} of {manifest.stage}: {shown:,} of {manifest.rows(table):,} rows", align="left", style="dim")


def _recipe(path: str, *, as_json: bool) -> Report:
    loaded = load_recipe(path)
    if as_json:
        return [value_line(loaded.recipe.model_dump(mode="json"))]
    text = files.read_bytes(path).decode("utf-8", "replace")
    skipped = [f"{stage.name} is skipped: {cause}" for stage in STAGES if (cause := stage.skipped(loaded.recipe))]
    return [*(words(visible_line(line)) for line in text.splitlines()), *(words(line, "dim") for line in skipped)]


def visible_line(line: str) -> str:
    """Returns a line in which nothing can steer a terminal; its indentation stays."""
    indentation = line[: len(line) - len(line.lstrip(" "))]
    return indentation + visible(line)
