"""What the judge's verdicts cost, scorer by scorer, from its manifest."""

from collections.abc import Iterator, Mapping
from typing import cast

from oreline.judging.books import METERS, VALUES
from oreline.reports.plain import Report, visible, words
from oreline.tables.manifest import Manifest

FACTS = frozenset({METERS, VALUES})
"""The facts of judge's manifest that are told here."""


def judges_report(manifest: Manifest) -> Report:
    """Returns a line per scorer, and how values came about; nothing for another stage's manifest."""
    return [words(visible(line), "dim") for line in _lines(manifest)] if manifest.stage == "judge" else []


def _lines(manifest: Manifest) -> Iterator[str]:
    meters = cast("Mapping[str, Mapping[str, int]]", manifest.facts.get(METERS, {}))
    for scorer, meter in meters.items():
        dollars = f", {meter['microdollars'] / 1e6:.4f} dollars" if meter.get("microdollars") else ""
        yield f"{scorer}: {meter.get('calls', 0):,} calls, {meter.get('tokens', 0):,} tokens{dollars}"
    if stored := manifest.counts.get("stored_verdicts"):
        yield f"verdicts of an earlier round, which cost nothing: {stored:,}"
    values = cast("Mapping[str, Mapping[str, str]]", manifest.facts.get(VALUES, {}))
    for scorer, models in values.items():
        for model, source in models.items():
            yield f"values of {scorer} by {model}: {source}"
