"""Rates: how many queries each language, task, writer and dataset had, and what became of them.

They stand in the manifest's facts under `rates`, by dimension, value and fate: `kept`, `merged`, `passed_over`, or the
reason of a drop. The number of entries is bounded: datasets and writers are the recipe's, tasks a closed set, languages
codes of two or three letters.
"""

import re

from oreline.filters.languages import code_of, detected
from oreline.job import StageWriter
from oreline.records import Query

RATES = "rates"
"""The fact's name."""

KEPT = "kept"
MERGED = "merged"
PASSED_OVER = "passed_over"

UNKNOWN = "-"
"""Stands for a language that is not known."""

_CODE = re.compile(r"[a-z]{2,3}")


def count(writer: StageWriter, query: Query, fate: str) -> None:
    """Counts a query's fate in all four dimensions: `KEPT`, `MERGED`, `PASSED_OVER`, or a reject's reason."""
    for dimension, value in dimensions(query).items():
        writer.tally(RATES, dimension, value, fate)


def dimensions(query: Query) -> dict[str, str]:
    """Returns what a query is counted by: language (its own, else what it surely is in), task, writer, dataset."""
    return {
        "language": _language(query),
        "task": query.task_type,
        "writer": source_of(query),
        "dataset": query.dataset,
    }


def source_of(query: Query) -> str:
    """Returns the writer of a query, or the origin of one that has none."""
    return query.lineage.writer if query.lineage is not None else query.origin


def _language(query: Query) -> str:
    if not query.lang:
        return detected(query.query) or UNKNOWN
    code = code_of(query.lang)
    return code if _CODE.fullmatch(code) else UNKNOWN
