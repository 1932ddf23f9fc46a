"""Search for hard negatives."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import CountOrZero, Settings, Share
from oreline.recipe.settings.ceiling import Ceiling, PercentCeiling

Miner = Literal["dense", "bm25"]


class Bm25(Settings):
    """How BM25 scores: Kamphuis et al. (ECIR 2020) name the methods. Its statistics are of all that is searched."""

    method: Literal["lucene", "robertson", "atire"] = "lucene"
    """How a word's weight and its frequency in a document are counted."""
    k1: Annotated[float, Field(ge=0.0)] = 1.5
    """How slowly a word's repetitions stop counting."""
    b: Share = 0.75
    """How much long documents are held back: 0 not at all, 1 in full."""


class Mine(Settings):
    """Search for hard negatives."""

    miners: list[Miner] = Field(default=["dense"], min_length=1)
    """Who searches; the first is the reference, whose scores all rules read: `dense`. `bm25` may stand beside it."""
    top_k: Annotated[int, Field(ge=1, le=1000)] = 100
    """Candidates per query and miner."""
    within: Literal["dataset", "all"] | list[str] = "dataset"
    """What is searched for a query: its dataset, everything, or the datasets listed."""
    ceiling: Ceiling = PercentCeiling()
    """Below it the spare documents are found."""
    spare: CountOrZero = 20
    """Best documents below the ceiling that each query gets besides the top k."""
    bm25: Bm25 = Bm25()
    """How the miner `bm25` scores."""
