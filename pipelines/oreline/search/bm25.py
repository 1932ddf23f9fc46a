"""BM25 over shards: exact top-k by sums of word weights, with the statistics of all that is searched.

Methods as in Kamphuis et al., "Which BM25 do you mean?" (ECIR 2020): `lucene` (its accurate variant), `robertson`
(weights of words in more than half of the documents are 0, not negative), `atire`. A score is a float64 sum over the
query's terms in one order, each term as often as it stands in the query; nothing in it depends on shards or blocks.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from oreline.recipe.settings import Bm25
from oreline.search.hits import Hits
from oreline.search.postings import Int32, Postings, Statistics
from oreline.search.scores import Float16, Float64, Int64, pair_scores
from oreline.search.shards import Pairs, Ranked, Shard, best_of


@dataclass(frozen=True)
class Asking:
    """The terms of a block of queries: those of query i are entries `starts[i]` to `starts[i + 1]`.

    `unique` are all terms, ascending; `terms` are places in it, ascending within a query; `counts` how often each
    stands in the query. `vectors` are the queries' own, float16.
    """

    unique: Int64
    starts: Int64
    terms: Int64
    counts: Int64
    vectors: Float16


def asking(terms: pa.Array, counts: pa.Array, vectors: Float16) -> Asking:
    """Returns the terms of queries (`terms.terms_of`) as the search takes them."""
    flat = np.asarray(terms.flatten(), np.int64)
    unique, places = np.unique(flat, return_inverse=True)
    sizes = np.asarray(pc.list_value_length(terms), np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Asking(unique, starts, places.astype(np.int64), np.asarray(counts.flatten(), np.int64), vectors)


@dataclass(frozen=True)
class Part:
    """A part of a shard: its documents, the shard's row of the first one, and the shard's postings."""

    shard: Shard
    start: int
    postings: Postings


def word_weights(settings: Bm25, statistics: Statistics) -> Float64:
    """Returns what each term adds to a score per unit of its saturated frequency; one that no document holds, 0."""
    total = statistics.documents
    # math.log, one by one: numpy's may differ in the last bit with the place of a number in its array.
    return np.array([_weight(settings, total, int(each)) for each in statistics.holding], np.float64)


def _weight(settings: Bm25, documents: int, holding: int) -> float:
    if holding == 0:
        return 0.0
    odds = (documents - holding + 0.5) / (holding + 0.5)
    match settings.method:
        case "lucene":
            return math.log(1 + odds)
        case "robertson":
            return math.log(max(odds, 1.0))
        case "atire":
            return math.log(documents / holding)


def search(asking: Asking, parts: Iterable[Part], statistics: Statistics, settings: Bm25, k: int) -> Hits:
    """Returns each query's best k documents with a score above 0, ties by order, and their exact dot products.

    What `left_out[0]` of a part's shard names is left out. A word that is in no document counts for nothing.
    """
    weights = word_weights(settings, statistics)
    count = len(asking.starts) - 1
    best, dots = Ranked(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)), np.empty(0)
    for part in parts:
        posted = _posted(part.postings, asking.unique, weights, statistics, settings)
        rows, places, scores = _best_of_part(asking, part, posted, _floors(best, count, k), k)
        fresh = pair_scores(asking.vectors, rows, part.shard.vectors, places)
        merged = Ranked(
            np.concatenate([best.queries, rows]),
            np.concatenate([best.order, part.shard.order[places]]),
            np.concatenate([best.scores, scores]),
        )
        chosen = best_of(merged, k)
        best = Ranked(merged.queries[chosen], merged.order[chosen], merged.scores[chosen])
        dots = np.concatenate([dots, fresh])[chosen]
    return Hits(best, dots)


@dataclass(frozen=True)
class _Posted:
    """A shard's postings with what each adds to a score; `place` is a term's place in them, -1 for one without."""

    place: Int64
    starts: Int64
    rows: Int32
    adds: Float64


def _posted(postings: Postings, unique: Int64, weights: Float64, statistics: Statistics, settings: Bm25) -> _Posted:
    which = np.searchsorted(unique, postings.terms)
    place = np.full(len(unique), -1, np.int64)
    place[which] = np.arange(len(which))
    counts = postings.counts.astype(np.float64)
    mean = statistics.words / statistics.documents if statistics.words else 1.0
    relative = postings.lengths[postings.rows] / mean
    saturated = counts / (counts + settings.k1 * (1.0 - settings.b + settings.b * relative))
    if settings.method == "atire":
        saturated *= settings.k1 + 1.0
    return _Posted(
        place, postings.starts, postings.rows, np.repeat(weights[which], np.diff(postings.starts)) * saturated
    )


def _floors(best: Ranked, count: int, k: int) -> Float64:
    """Returns each query's k-th best score so far, 0 where there are fewer."""
    floors = np.zeros(count)
    counts = np.bincount(best.queries, minlength=count)
    full = counts >= k
    floors[full] = best.scores[(np.cumsum(counts) - 1)[full]]
    return floors


def _best_of_part(asking: Asking, part: Part, posted: _Posted, floors: Float64, k: int) -> tuple[Int64, Int64, Float64]:
    """Returns (query, row of the part, score) of what may be among a query's best k."""
    order = part.shard.order
    bounds = part.start, part.start + len(order)
    pairs = _by_query(part.shard.left_out[0])
    edges = np.searchsorted(pairs.queries, np.arange(len(floors) + 1))
    found: list[tuple[Int64, Int64, Float64]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    scores = np.zeros(len(order))
    for query, floor in enumerate(floors.tolist()):
        scores[:] = 0.0
        own = slice(asking.starts[query], asking.starts[query + 1])
        _add(
            posted.place[asking.terms[own]],
            asking.counts[own],
            posted.starts,
            posted.rows,
            posted.adds,
            *bounds,
            scores,
        )
        scores[pairs.rows[edges[query] : edges[query + 1]]] = 0.0
        places = np.flatnonzero((scores > 0.0) & (scores >= floor))
        if len(places) > k:
            least = np.partition(scores[places], -k)[-k]
            places = places[scores[places] >= least]
            places = places[np.lexsort((order[places], -scores[places]))][:k]
        found.append((np.full(len(places), query, np.int64), places.astype(np.int64), scores[places]))
    rows, columns, values = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)


def _by_query(pairs: Pairs) -> Pairs:
    sorting = np.argsort(pairs.queries, kind="stable")
    return Pairs(pairs.queries[sorting], pairs.rows[sorting])


def _adding(  # noqa: PLR0917 - arrays, as compiled code takes them
    places: Int64, counts: Int64, starts: Int64, rows: Int32, adds: Float64, first: int, last: int, scores: Float64
) -> None:
    for term in range(len(places)):
        if places[term] < 0:
            continue
        start, stop = starts[places[term]], starts[places[term] + 1]
        entry = start + np.searchsorted(rows[start:stop], first)
        while entry < stop and rows[entry] < last:
            scores[rows[entry] - first] += counts[term] * adds[entry]
            entry += 1


# No fast mathematics: terms are added in one order, so that equal sums are equal bit for bit.
_add = cast("Callable[[Int64, Int64, Int64, Int32, Float64, int, int, Float64], None]", njit(_adding))
