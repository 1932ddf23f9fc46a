"""Search for hard negatives."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import CountOrZero, Settings, Share
from oreline.recipe.settings.ceiling import Ceiling, PercentCeiling
from oreline.recipe.settings.encoder import Encoder
from oreline.recipe.settings.imported import Run
from oreline.recipe.settings.index import Index

DENSE = "dense"
"""The miner that searches the vectors of the recipe's own encoder."""
BM25 = "bm25"
"""The miner that searches words."""


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

    miners: list[str] = Field(default=["dense"], min_length=1)
    """Who finds documents: `dense` (the recipe's encoder), `bm25`, and names of `mine.encoders` and `mine.runs`."""
    reference: str = "dense"
    """Whose scores all rules read: `dense`, the recipe's encoder; or a name of `mine.runs`: its file then has the only
    scores and ranks there are, and nothing is encoded or searched."""
    encoders: dict[str, Encoder] = Field(default={})
    """Further encoders by the name of their miner, such as an earlier checkpoint: {old: {model: runs/ckpt-1}}."""
    runs: dict[str, Run] = Field(default={})
    """Candidates of other retrievers, from files, by the name of their miner: {colbert: {path: runs/colbert.trec}}."""
    top_k: Annotated[int, Field(ge=1, le=1000)] = 100
    """Candidates per query and miner."""
    index: Index = "exact"
    """How vectors are searched: `exact`, or an approximate index, whose recall is measured: {kind: faiss_hnsw}."""
    within: Literal["dataset", "all"] | list[str] = "dataset"
    """What is searched for a query: its dataset, everything, or the datasets listed."""
    ceiling: Ceiling = PercentCeiling()
    """Below it the spare documents are found."""
    spare: CountOrZero = 20
    """Best documents below the ceiling that each query gets besides the top k."""
    bm25: Bm25 = Bm25()
    """How the miner `bm25` scores."""
