"""What several encoders and imported candidates came to, from the manifests of embed and mine."""

from collections.abc import Iterator, Mapping
from typing import cast

from oreline.reports.plain import Report, visible, words
from oreline.tables.manifest import Manifest

FACTS = frozenset({"by_encoder", "runs"})
"""The facts of the two manifests that are told here."""

_ALONE = "documents_that_only_"
_FOUND = "_found"


def miners_report(manifest: Manifest) -> Report:
    """Returns a line per encoder, miner and imported list; nothing where there is one miner and none is imported."""
    return [words(visible(line)) for line in _lines(manifest)]


def _lines(manifest: Manifest) -> Iterator[str]:
    encoders = cast("Mapping[str, Mapping[str, int]]", manifest.facts.get("by_encoder", {}))
    for name, counts in encoders.items():
        without = counts.get("texts_without_vector", 0)
        lost = f"; {without:,} texts have no vector of its own, which it cannot find" if without else ""
        yield f"{name}: {counts['texts_encoded']:,} texts encoded, {counts['texts_reused']:,} reused{lost}"
    alone = {
        name.removeprefix(_ALONE).removesuffix(_FOUND): number
        for name, number in manifest.counts.items()
        if name.startswith(_ALONE)
    }
    if alone:
        told = ", ".join(f"{number:,} by {name}" for name, number in alone.items())
        yield f"documents of the pools that only one miner found: {told}"
    runs = cast("Mapping[str, Mapping[str, int]]", manifest.facts.get("runs", {}))
    for name, counts in runs.items():
        yield f"{name}: {_run(counts)}"


def _run(counts: Mapping[str, int]) -> str:
    told = [f"{counts.get('candidates', 0):,} candidates from {counts['lines']:,} lines"]
    asked = counts.get("queries_by_score", 0), counts.get("queries_by_order_of_file", 0)
    told += [f"of {asked[0]:,} queries by their scores"] if asked[0] else []
    told += [f"of {asked[1]:,} queries in the order of the file"] if asked[1] else []
    for key, sentence in (
        ("positives", "which the file calls positive"),
        ("positives_or_equal_to_them", "left out as a positive, or of equal content with one or with the query"),
        ("of_queries_without_vector", "of queries without a vector"),
        ("without_reference_score", "left out, as the file of mine.reference has no score of them"),
    ):
        told += [f"{counts[key]:,} {sentence}"] if counts.get(key) else []
    return "; ".join(told)
