"""Rates: how many queries of each dataset, task and language came in, were dropped, were relabelled."""

import re
from collections.abc import Mapping
from typing import Literal, cast

from oreline.ids import Json
from oreline.job import StageWriter

FACT = "queries_by"
"""The fact of the manifest: dimension, value, event, number."""

DIMENSIONS = ("dataset", "task", "language")
Event = Literal["in", "dropped", "relabelled"]

_LANGUAGE = re.compile("[a-z]{2,3}")


def tally(writer: StageWriter, dataset: str, task: str, lang: str | None, *events: Event) -> None:
    """Counts events of a query.

    Datasets and tasks are few. Of a language its primary subtag counts, `none` where no source states it and `other`
    for what is no language code, so that a manifest holds no more lines than there are languages.
    """
    primary = "none" if lang is None else lang.replace("_", "-").split("-")[0].lower()
    if lang is not None and not _LANGUAGE.fullmatch(primary):
        primary = "other"
    for dimension, value in zip(DIMENSIONS, (dataset, task, primary), strict=True):
        for event in events:
            writer.tally(FACT, dimension, value, event)


def rates_of(facts: Mapping[str, Json]) -> dict[str, dict[str, dict[str, int]]]:
    """Returns what a manifest's facts say of each dimension: by value, the number of each event."""
    return cast("dict[str, dict[str, dict[str, int]]]", facts.get(FACT, {}))
