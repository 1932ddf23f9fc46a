"""Scores for (query, document)."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Settings
from oreline.recipe.settings.llm import Llm


class Judge(Settings):
    """Scores for (query, document)."""

    enabled: bool = True
    """Whether the stage runs; it is skipped without an LLM."""
    scorers: list[Literal["listwise"]] = Field(default=["listwise"], min_length=1)
    """Who scores."""
    top_k: Annotated[int, Field(ge=1, le=25)] = 20
    """How many of the pool are shown."""
    llm: Llm | None = None
    """A model for this stage alone."""
