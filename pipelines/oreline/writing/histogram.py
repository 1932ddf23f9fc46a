"""How many queries each writer wrote of each kind, with each model and in each language: a fact of the manifest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from oreline.ids import Json
from oreline.job import StageWriter
from oreline.languages import primary
from oreline.records import Query
from oreline.writing.rows import kind_of

FACT = "written"
"""The fact's name; under it stand writer, kind of task, model and language, each a key of the one before."""

NONE = "none"
"""Stands for no model, and for a language that is not known."""


@dataclass(frozen=True)
class Cell:
    """A writer, the kind of task as the writer calls it, the model, and the query's language."""

    writer: str
    kind: str
    model: str
    lang: str


def tally(writer: StageWriter, query: Query) -> None:
    """Counts a written query."""
    lineage = query.lineage
    if lineage is not None:
        writer.tally(FACT, lineage.writer, kind_of(query), lineage.model or NONE, _counted_as(query.lang))


@lru_cache(maxsize=1_024)
def _counted_as(lang: str | None) -> str:
    code = NONE if lang is None else primary(lang)
    # A model may have chosen the code: what is none must not make the manifest grow.
    return code if re.fullmatch("[a-z]{2,4}", code) else "other"


def histogram(facts: Mapping[str, Json]) -> dict[Cell, int]:
    """Returns a manifest's histogram in the order of its keys; empty if nothing was written."""
    return {
        Cell(writer, kind, model, lang): cast("int", number)
        for writer, kinds in _inside(facts.get(FACT))
        for kind, models in _inside(kinds)
        for model, langs in _inside(models)
        for lang, number in _inside(langs)
    }


def _inside(value: Json) -> list[tuple[str, Json]]:
    return list(value.items()) if isinstance(value, dict) else []
