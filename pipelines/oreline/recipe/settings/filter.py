"""Which queries stay."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Count, CountOrZero, Settings
from oreline.recipe.settings.llm import Llm


class Rater(Settings):
    """The LLM that rates queries: would somebody type this?"""

    prompt: str = "filter/rater"
    """The prompt."""
    keep_from: Annotated[int, Field(ge=0, le=3)] = 2
    """Least grade, 0 to 3, of a query that stays."""
    human: bool = False
    """Whether human queries are rated too."""
    llm: Llm | None = None
    """A model for the rater alone."""


class Filter(Settings):
    """Noisy and repeated queries."""

    enabled: bool = True
    """Whether the stage runs."""
    rules: Literal["default", "none"] = "default"
    """The free rules: words, language, repeated characters, verbatim copy. Human queries are exempt."""
    min_words: CountOrZero = 2
    """Fewest words of a written query; 4 characters count as a word in scripts without spaces."""
    max_words: Count = 120
    """Most words of a written query."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Whether near-duplicate queries with equal positives are dropped. Equal queries are always merged."""
    rater: Rater | None = Rater()
    """The rater; skipped without an LLM; null switches it off."""
