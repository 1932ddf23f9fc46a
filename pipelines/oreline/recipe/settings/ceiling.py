"""What a negative must score less than."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Settings, Share


class PercentCeiling(Settings):
    """A negative scores less than r - (1 - p)|r|, r the lowest score among the row's positives (NV-Retriever)."""

    percent_of_positive: Share = 0.95
    """The share p."""


class MarginCeiling(Settings):
    """A negative scores less than r - margin."""

    margin: Annotated[float, Field(ge=0.0, le=2.0)]
    """The margin, in cosine similarity."""


class ScoreCeiling(Settings):
    """A negative scores less than a fixed value."""

    score: Annotated[float, Field(ge=-1.0, le=1.0)]
    """The value, in cosine similarity."""


Ceiling = PercentCeiling | MarginCeiling | ScoreCeiling | Literal["none"]
