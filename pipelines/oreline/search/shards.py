"""What a search is given: shards of the corpus, what is wanted of it, and what it found."""

from dataclasses import dataclass, field

import numpy as np

from oreline.search.scores import Float16, Float64, Int64


@dataclass(frozen=True)
class Pairs:
    """Pairs (query row, shard row), as two arrays of equal length."""

    queries: Int64
    rows: Int64


NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Shard:
    """Some documents.

    `vectors` is float16, n x d. `order` is int64, n, unique over all shards: of two documents with equal scores the
    one with the smaller order stands first. `left_out[i]` is left out of list i and of all later lists.
    """

    vectors: Float16
    order: Int64
    left_out: tuple[Pairs, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A list that is wanted for each query: its best `k` documents with score < `below` (one value per query)."""

    k: int
    below: Float64


@dataclass(frozen=True)
class Targets:
    """Documents whose exact place is asked for.

    Per target: the query's row, the exact score, and the order (comparable with `Shard.order`, but it need not be in
    a shard).
    """

    queries: Int64
    scores: Float64
    order: Int64


NO_TARGETS = Targets(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Tiles:
    """How much is scored at once: queries x documents. Changes memory and speed, never a result."""

    queries: int = 1_024
    documents: int = 8_192


@dataclass(frozen=True)
class Ranked:
    """One list for all queries, flat: query row, order and score of each hit, sorted by (query, -score, order)."""

    queries: Int64
    order: Int64
    scores: Float64

    def of(self, query: int) -> list[tuple[int, float]]:
        """Returns the (order, score) of one query's hits, best first."""
        first, last = np.searchsorted(self.queries, [query, query + 1])
        return list(zip(self.order[first:last].tolist(), self.scores[first:last].tolist(), strict=True))


def best_of(hits: Ranked, k: int) -> Int64:
    """Returns the places of each query's best k of flat hits in any order, sorted by (query, -score, order)."""
    sorting = np.lexsort((hits.order, -hits.scores, hits.queries))
    queries = hits.queries[sorting]
    starts = np.searchsorted(queries, queries)
    return sorting[np.arange(len(queries)) - starts < k].astype(np.int64)


@dataclass(frozen=True)
class Found:
    """What a search found: a list per `Wanted`, and per target how many documents of the shards stand ahead of it."""

    lists: tuple[Ranked, ...]
    ahead: Int64
    rescored: int = field(default=0, compare=False)
    """How many (query, list) had to be scored again in full, as the first pass left a doubt."""
