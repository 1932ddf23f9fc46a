"""Search for hard negatives."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import CountOrZero, Settings
from oreline.recipe.settings.ceiling import Ceiling, PercentCeiling


class Mine(Settings):
    """Search for hard negatives."""

    miners: list[Literal["dense"]] = Field(default=["dense"], min_length=1)
    """Who searches; the first is the reference."""
    top_k: Annotated[int, Field(ge=1, le=1000)] = 100
    """Candidates per query."""
    within: Literal["dataset", "all"] | list[str] = "dataset"
    """What is searched for a query: its dataset, everything, or the datasets listed."""
    ceiling: Ceiling = PercentCeiling()
    """Below it the spare documents are found."""
    spare: CountOrZero = 20
    """Best documents below the ceiling that each query gets besides the top k."""
