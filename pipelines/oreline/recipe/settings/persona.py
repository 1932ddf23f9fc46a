"""The writer that chooses who asks and how before it writes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from oreline.recipe.settings.base import Count, Settings

_Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class Persona(Settings):
    """retrieval/persona: one call chooses who asks and how, another writes the query (Qwen3-Embedding, appendix)."""

    personas: str | None = None
    """File of personas: `.txt` with one a line, or `.jsonl` with `persona` and `about`; default: the packaged bank."""
    candidates: Annotated[int, Field(ge=2, le=20)] = 5
    """Personas that are shown with a document: those that share most words with it, the rest drawn by its id."""
    question_types: Annotated[
        list[Literal["keyword", "factual", "summary", "judgement", "background"]], Field(min_length=1)
    ] = Field(default=["keyword", "factual", "summary", "judgement", "background"])
    """Kinds of queries to choose from."""
    difficulties: Annotated[list[Literal["high_school", "university", "phd"]], Field(min_length=1)] = Field(
        default=["high_school", "university", "phd"]
    )
    """Difficulties to choose from."""
    words: Annotated[list[Count], Field(min_length=2, max_length=2)] = Field(default=[2, 40])
    """Fewest and most words of a query."""
    languages: Annotated[list[_Language], Field(min_length=1)] | None = None
    """Languages of the queries, one drawn for each by the document's id; default: the document's own."""

    @model_validator(mode="after")
    def _in_order(self) -> "Persona":
        if self.words[0] > self.words[1]:
            raise ValueError(f"words: the first number, {self.words[0]}, is larger than the second, {self.words[1]}")
        return self
