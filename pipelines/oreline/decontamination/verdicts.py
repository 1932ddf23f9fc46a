"""What follows from a match: whether the training row is dropped, and which matches are reported.

| training row | matches a test query | a relevant document | another document | a text of pairs, labels or lines |
| --- | --- | --- | --- | --- |
| query of split `train` | dropped | dropped, unless it is only contained in it | reported | dropped |
| query of another split | reported | reported | reported | reported |
| document | reported | dropped | reported | dropped |

A query that stands inside a relevant document says nothing of what is asked in the test; a document that holds a test
query does not answer it. With `documents: all` a document that matches anything is dropped.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Literal

from oreline.decontamination.matching import Match
from oreline.recipe.settings import Decontaminate
from oreline.records import BenchmarkMatch, BenchmarkRole

MOST_REPORTED = 16
"""Matches of one training row with one benchmark that are reported, the strongest first; of those with documents that
answer nothing only one, as a corpus may share whole templates with a benchmark's."""

_STRONGEST: dict[BenchmarkMatch, int] = {"exact": 0, "contains": 1, "contained": 1, "near": 2}


def drops_query(settings: Decontaminate, role: BenchmarkRole, match: BenchmarkMatch) -> bool:
    """Says whether a training query is dropped for a match."""
    if settings.queries == "report" or role == "other":
        return False
    return role != "relevant" or match != "contained"


def drops_document(settings: Decontaminate, role: BenchmarkRole, match: BenchmarkMatch) -> bool:  # noqa: ARG001 - called as drops_query is
    """Says whether a training document is dropped for a match."""
    if settings.documents == "report":
        return False
    return settings.documents == "all" or role in ("relevant", "text")


def strongest(matches: Iterable[Match], settings: Decontaminate, table: Literal["documents", "queries"]) -> list[Match]:
    """Returns what is reported of one training row's matches: those that drop it first, then the closest."""
    drops = drops_query if table == "queries" else drops_document
    ordered = sorted(
        matches,
        key=lambda each: (
            each.benchmark,
            not drops(settings, each.role, each.match),
            _STRONGEST[each.match],
            -each.share,
            each.text,
        ),
    )
    kept: list[Match] = []
    for _, group in groupby(ordered, key=lambda each: each.benchmark):
        listed = list(group)
        first_other = next((each for each in listed if each.role == "other"), None)
        kept += [each for each in listed if each.role != "other" or each is first_other][:MOST_REPORTED]
    return kept
