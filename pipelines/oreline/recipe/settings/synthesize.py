"""Queries written from documents."""

from typing import Annotated

from pydantic import Field

from oreline.recipe.settings.base import Count, Settings
from oreline.recipe.settings.llm import Llm


class Synthesize(Settings):
    """Queries written from documents."""

    enabled: bool = True
    """Whether the stage runs."""
    writers: Annotated[list[str], Field(min_length=1)] | None = None
    """Writers; default: retrieval/fret with an LLM, else extractive/title and extractive/inverse_cloze."""
    shares: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    """Weights of writers that split the documents among them, by a hash of the id; the others write for every one."""
    per_document: Count = 2
    """Queries an LLM writer writes for a document."""
    sample: Count | None = None
    """About how many documents are written for, chosen by a hash of the id; default: all."""
    datasets: list[str] | None = None
    """Datasets that are written for; default: all if `writers` is set, else those that bring no pairs."""
    llm: Llm | None = None
    """A model for this stage alone."""
