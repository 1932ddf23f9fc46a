"""What the miners found of a block of queries, and what the reference miner says of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oreline.search.corpus import Corpus
from oreline.search.scores import Float16, Float64, Int64, pair_scores
from oreline.search.shards import Pairs, Ranked, best_of
from oreline.search.tags import TagIndex

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """Each query's best documents by one miner, and their scores by the reference miner.

    `scored`, if it is given, is False for those whose miner has an order and no scores; their `ranked.scores` then only
    keep that order.
    """

    ranked: Ranked
    reference: Float64
    scored: Bools | None = None


@dataclass(frozen=True)
class Proposal:
    """What a miner proposes, in any order, before documents are left out: searched ones, each once per query."""

    ranked: Ranked
    scored: Bools | None = None


@dataclass(frozen=True)
class Referred:
    """Lists whose documents the reference miner scored, and how many entries queries left out, by miner."""

    lists: Mapping[str, Hits]
    left_out: Mapping[str, int]


def refer(lists: Mapping[str, Proposal], corpus: Corpus, vectors: Float16, left_out: TagIndex, k: int) -> Referred:
    """Takes from lists what their queries leave out, scores the rest exactly, and keeps each query's best `k`.

    `vectors` are the queries' by the reference encoder. All shards are read once, whatever the number of lists.
    """
    scores = {name: np.full(len(each.ranked.queries), np.nan) for name, each in lists.items()}
    for shard in corpus.shards(left_out) if lists else ():
        sorting = np.argsort(shard.order)
        for name, each in lists.items():
            ranked = each.ranked
            entries, rows = in_shard(ranked, shard.order, sorting)
            here = ~among(ranked.queries[entries], rows, shard.left_out[0], len(shard.order))
            entries, rows = entries[here], rows[here]
            scores[name][entries] = pair_scores(vectors, ranked.queries[entries], shard.vectors, rows)
    found = {name: np.flatnonzero(~np.isnan(each)) for name, each in scores.items()}
    kept = {name: _best(lists[name], scores[name], entries, k) for name, entries in found.items()}
    return Referred(kept, {name: len(scores[name]) - len(entries) for name, entries in found.items()})


def in_shard(each: Ranked, order: Int64, sorting: Int64) -> tuple[Int64, Int64]:
    """Returns the entries of a list whose documents are in a shard, by its rows' order, and their rows of it."""
    if len(order) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    places = np.minimum(np.searchsorted(order, each.order, sorter=sorting), len(order) - 1)
    rows = sorting[places]
    entries = np.flatnonzero(order[rows] == each.order)
    return entries.astype(np.int64), rows[entries].astype(np.int64)


def among(queries: Int64, rows: Int64, pairs: Pairs, width: int) -> Bools:
    """Says which (query, row) are among pairs; `width` is more than any row."""
    return np.isin(queries * width + rows, pairs.queries * width + pairs.rows)


def _best(each: Proposal, reference: Float64, entries: Int64, k: int) -> Hits:
    ranked = each.ranked
    open_ = Ranked(ranked.queries[entries], ranked.order[entries], ranked.scores[entries])
    best = best_of(open_, k)
    kept = Ranked(open_.queries[best], open_.order[best], open_.scores[best])
    return Hits(kept, reference[entries][best], None if each.scored is None else each.scored[entries][best])
