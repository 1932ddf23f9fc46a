"""Recall: how much of what an exact search finds an approximate one finds too, on a sample of queries."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from oreline.ids import Json, seeded_fraction
from oreline.recipe.settings import ApproximateIndex
from oreline.search.scores import Int64
from oreline.search.shards import Found, Ranked

SEED = 13
"""Seed of the sample: the same queries are drawn every time."""


@dataclass(frozen=True)
class Agreement:
    """What two searches of the same queries have in common.

    `found[i]` of the `expected[i]` documents of the exact list i were found. `ranks_equal` of `ranks` places are exact.
    `rescored` counts the queries that were searched exactly where an index had too few documents for them.
    """

    found: tuple[int, ...]
    expected: tuple[int, ...]
    ranks_equal: int
    ranks: int
    rescored: int = 0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            tuple(one + two for one, two in zip_longest(self.found, other.found, fillvalue=0)),
            tuple(one + two for one, two in zip_longest(self.expected, other.expected, fillvalue=0)),
            self.ranks_equal + other.ranks_equal,
            self.ranks + other.ranks,
            self.rescored + other.rescored,
        )

    @property
    def recalls(self) -> tuple[float, ...]:
        """The share found of each exact list; 1 of an empty one."""
        return tuple(
            found / expected if expected else 1.0 for found, expected in zip(self.found, self.expected, strict=True)
        )


def agreement(exact: Found, approximate: Found) -> Agreement:
    """Compares two searches of the same queries for the same lists and targets."""
    pairs = list(zip(exact.lists, approximate.lists, strict=True))
    return Agreement(
        tuple(len(np.intersect1d(_keys(one, two), _keys(two, one), assume_unique=True)) for one, two in pairs),
        tuple(len(one.queries) for one, _ in pairs),
        int((exact.ahead == approximate.ahead).sum()),
        len(exact.ahead),
        approximate.rescored,
    )


def _keys(ranked: Ranked, other: Ranked) -> Int64:
    width = 1 + max(int(ranked.order.max(initial=0)), int(other.order.max(initial=0)))
    return ranked.queries * width + ranked.order


def is_drawn(query_id: str, sample: int, queries: int) -> bool:
    """Says whether a query may be in the sample: a few more than `sample` of all `queries` are, drawn by their ids.

    The first `sample` of them by `draw` are the sample.
    """
    more = sample + 6.0 * math.sqrt(sample) + 16
    return draw(query_id) * queries < more


def draw(query_id: str) -> float:
    """Returns a query's place in the order of drawing, from 0 to 1."""
    return seeded_fraction(SEED, "recall", query_id)


@dataclass(frozen=True)
class Measured:
    """The recall of a miner's indexes at one effort, over `queries` sampled queries.

    `indexed` documents stand in indexes; `scanned` ones are searched exactly, as their datasets are small.
    """

    agreement: Agreement
    effort: int
    queries: int
    indexed: int
    scanned: int

    @property
    def recalls(self) -> tuple[float, ...]:
        """The share found of the best `top_k`, and of the `spare` documents if there are any."""
        return self.agreement.recalls

    def fact(self, effort_key: str) -> dict[str, Json]:
        """Returns what the manifest says of it."""
        fact: dict[str, Json] = {
            effort_key: self.effort,
            "documents_indexed": self.indexed,
            "documents_searched_exactly": self.scanned,
            "sampled_queries": self.queries,
            "sampled_queries_with_too_few": self.agreement.rescored,
        }
        fact.update({f"recall_of_{name}": round(recall, 6) for name, recall in zip(_LISTS, self.recalls, strict=False)})
        if self.agreement.ranks:
            fact["sampled_ranks"] = self.agreement.ranks
            fact["sampled_ranks_exact"] = self.agreement.ranks_equal
        return fact

    def shortfall(self, miner: str, settings: ApproximateIndex, effort_key: str, *, fixed: bool) -> str | None:
        """Returns why the recall is too low and what to do, or None if it is high enough.

        `fixed` says that the recipe fixes the effort, so that no other was tried.
        """
        recall, name = min(zip(self.recalls, _LISTS, strict=False), default=(1.0, ""))
        if recall >= settings.least_recall:
            return None
        key = f"mine.index.{effort_key}"
        remedy = f"raise {key}" if fixed else _BETTER[settings.kind]
        return (
            f"nothing was mined: at {key} {self.effort}, {settings.kind} finds {recall:.3f} of the documents (mine."
            f"{name}, miner {miner}) that exact search finds for {self.queries} sampled queries, but "
            f"mine.index.least_recall is {settings.least_recall:g}; {remedy}, lower least_recall, or search exactly "
            "(mine.index: exact)"
        )


def index_fact(settings: ApproximateIndex, effort_key: str, measured: Mapping[str, Measured]) -> Json:
    """Returns what mine's manifest says of its indexes: kind, parameters, and the recall of each miner's."""
    parameters: dict[str, Json] = {
        name: value
        for name, value in settings.model_dump(exclude={"kind", "sample", "least_recall"}).items()
        if value is not None
    }
    return {
        "kind": settings.kind,
        "parameters": parameters,
        "least_recall": settings.least_recall,
        "ranks": "among what the index found",
        "miners": {miner: each.fact(effort_key) for miner, each in measured.items()},
    }


_LISTS = ("top_k", "spare")

_BETTER = {
    "faiss_ivf": "set fewer mine.index.lists or more mine.index.probes",
    "faiss_hnsw": "raise mine.index.neighbours, mine.index.ef_construction or mine.index.ef_search",
    "cuvs_cagra": "raise mine.index.degree or mine.index.intermediate_degree",
}
