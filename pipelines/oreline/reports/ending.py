"""What `oreline run` prints when it is done: fates by stage, a few triples, and what was written where."""

from oreline import files
from oreline.exporters.again import paths_of
from oreline.reports.contamination import benchmarks_report
from oreline.reports.fates import fates_table
from oreline.reports.finished import manifests_of
from oreline.reports.indexes import indexes_report
from oreline.reports.judges import judges_report
from oreline.reports.miners import miners_report
from oreline.reports.plain import Report, words
from oreline.reports.selection import warnings_of
from oreline.reports.triples import sample_triples, triple_card
from oreline.running import RunResult
from oreline.tables.manifest import Manifest


def ending(result: RunResult, examples: int, seed: int) -> Report:
    """Returns the report of a run: the table of fates, `examples` triples drawn by `seed`, and the paths written.

    Stages that the run was told to leave out are left out here too.

    Raises BrokenTable if a part is damaged.
    """
    skips = {each.name: each.cause for each in result.stages if each.how == "skipped"}
    asked = {each.name for each in result.stages if each.how != "left_out"}
    manifests = {name: manifest for name, manifest in manifests_of(result.output).items() if name in asked}
    report: Report = [fates_table(manifests, skips), "", *benchmarks_report(result.output, manifests)]
    if "select" in manifests:
        report += [words(f"{each}\n", "yellow") for each in warnings_of(manifests["select"])]
    if result.triples and examples and "select" in manifests:
        drawn = sample_triples(result.output, examples, seed)
        report.append(words(f"{len(drawn)} of {result.triples:,} triples, drawn by a hash of their ids:\n", "bold"))
        report += [triple_card(each) for each in drawn]
    if "mine" in manifests:
        report += [*indexes_report(manifests["mine"]), *miners_report(manifests["mine"])]
    if "judge" in manifests:
        report += judges_report(manifests["judge"])
    if result.spent.stages:
        report.append(words(_money(result)))
    return report + [f"wrote {path}" for path in _paths(result.output, manifests)]


def _money(result: RunResult) -> str:
    """Returns what this run paid and what the output has cost in all."""
    ran = [each.manifest.counts for each in result.stages if each.how == "ran" and each.manifest is not None]
    dollars = sum(counts.get("microdollars", 0) for counts in ran) / 1e6
    paid, hits = (sum(counts.get(name, 0) for counts in ran) for name in ("paid_requests", "journal_hits"))
    now = f"{paid:,} answers were paid for ({dollars:.4f} dollars), {hits:,} came from the journal"
    return f"{now}; spent on this output in all: {result.spent}"


def _paths(output: str, manifests: dict[str, Manifest]) -> list[str]:
    paths: list[str] = []
    exported = manifests.get("export")
    if exported is not None:
        formats = [table.removeprefix("train/") for table in exported.tables if table.startswith("train/")]
        paths += [path for name in formats for path in paths_of(output, exported, name)]
    if "select" in manifests:
        paths.append(files.join(output, "select", "triples"))
    return [*paths, files.join(output, "run.log")]
