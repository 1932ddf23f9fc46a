"""How mine searched where its indexes were approximate, and how much they found, from its manifest."""

from collections.abc import Iterator, Mapping
from typing import cast

from oreline.ids import Json
from oreline.reports.plain import Report, visible, words
from oreline.search.approximate.outcome import FACT
from oreline.tables.manifest import Manifest

FACTS = frozenset({FACT})
"""The facts of mine's manifest that are told here."""


def indexes_report(manifest: Manifest) -> Report:
    """Returns the index and each miner's recall; nothing where search was exact."""
    fact = manifest.facts.get(FACT)
    return [words(visible(line)) for line in _lines(fact)] if isinstance(fact, dict) else []


def _lines(fact: Mapping[str, Json]) -> Iterator[str]:
    parameters = cast("Mapping[str, Json]", fact["parameters"])
    told = ", ".join(f"{name} {value}" for name, value in parameters.items())
    yield f"approximate search by {fact['kind']} ({told}); ranks are counted {fact['ranks']}, and may be too good"
    for miner, each in cast("Mapping[str, Mapping[str, Json]]", fact["miners"]).items():
        yield f"{miner}: {_recall(each, fact['least_recall'])}"


def _recall(each: Mapping[str, Json], least: Json) -> str:
    effort, value = next(iter(each.items()))
    recalls = [
        f"{cast('float', share):.4f} of {name.removeprefix('recall_of_')}"
        for name, share in each.items()
        if name.startswith("recall_of_")
    ]
    indexed, scanned = (cast("int", each[f"documents_{name}"]) for name in ("indexed", "searched_exactly"))
    ranks = ""
    if "sampled_ranks" in each:
        ranks = f"; {each['sampled_ranks_exact']} of {each['sampled_ranks']} sampled ranks are exact"
    few = cast("int", each["sampled_queries_with_too_few"])
    again = f"; for {few:,} the index had too few, and they were searched exactly" if few else ""
    return (
        f"recall {' and '.join(recalls)} against exact search of {each['sampled_queries']} sampled queries "
        f"(least_recall {least}) at {effort} {value}{ranks}{again}; {indexed:,} documents in indexes, "
        f"{scanned:,} searched exactly"
    )
