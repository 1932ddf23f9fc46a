"""The writers for code."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Settings


class Describe(Settings):
    """code/describe: what people say who look for a piece of code."""

    styles: Annotated[list[Literal["search", "summary", "task", "specification", "problem"]], Field(min_length=1)] = (
        Field(default=["search", "summary", "task", "specification", "problem"])
    )
    """Styles that are suggested, drawn for each document by its id."""


class Question(Settings):
    """code/question: what programmers ask that a document, code or documentation, answers."""

    kinds: Annotated[list[Literal["how_to", "behaviour", "error", "choice", "snippet"]], Field(min_length=1)] = Field(
        default=["how_to", "behaviour", "error", "choice", "snippet"]
    )
    """Kinds that are suggested, drawn for each document by its id."""
