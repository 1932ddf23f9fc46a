"""Mining a block of queries: the search, and the candidates that come of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from oreline.recipe.settings import Mine
from oreline.records import Candidate, Hit, PoolEntry, Scored
from oreline.search.corpus import Corpus
from oreline.search.exact import Search
from oreline.search.questions import Asked, Questions
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Found, Ranked, Shard, Targets, Tiles, Wanted
from oreline.search.tags import TagIndex
from oreline.selection.ceilings import ceiling_of

DENSE = "dense"


@dataclass(frozen=True)
class Mined:
    """The candidates of a block, sorted by query id, and how many lists were scored twice."""

    candidates: list[Candidate]
    rescored: int


def mine(
    questions: Questions, corpus: Corpus, settings: Mine, device: str = "cpu", tiles: Tiles | None = None
) -> Mined:
    """Returns one candidate per query: exact places of positives and known negatives, and the pool.

    The pool holds the best `top_k` of what is searched, and the best `spare` below the ceiling that are no siblings
    of a positive; a query without a scored positive gets no spare ones, unless the ceiling is a fixed score.
    """
    left_out, siblings = TagIndex(questions.left_out), TagIndex(questions.siblings)

    def shards() -> Iterator[Shard]:
        return corpus.shards(left_out, siblings)

    count = len(questions.query_ids)
    wanted = (
        Wanted(settings.top_k, np.full(count, np.inf)),
        Wanted(settings.spare, _ceilings(questions.asked, count, settings)),
    )
    asked = questions.asked
    ids = pa.array(asked.doc_ids, pa.string())
    targets = Targets(asked.queries, asked.scores, corpus.order_of(ids))
    found = Search(questions.vectors, shards, wanted, targets, device, tiles or Tiles()).run()
    ranks = 1 + found.ahead - _positives_ahead(asked, targets, corpus.holds(ids))
    return Mined(list(_candidates(questions, corpus, ranks, found)), found.rescored)


def _ceilings(asked: Asked, count: int, settings: Mine) -> Float64:
    scores: list[list[float]] = [[] for _ in range(count)]
    for row, score, positive in zip(asked.queries.tolist(), asked.scores.tolist(), asked.positive, strict=True):
        if positive:
            scores[row].append(score)
    ceilings = np.full(count, -np.inf)
    for row, mine_scores in enumerate(scores):
        ceiling = ceiling_of(settings.ceiling, mine_scores)
        if ceiling is not None:
            ceilings[row] = ceiling
        elif mine_scores:
            ceilings[row] = np.inf
    return ceilings


def _positives_ahead(
    asked: Asked, targets: Targets, searched: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"
) -> Int64:
    """Returns, per entry, how many searched positives of its query stand ahead of it: they cost it no rank."""
    ahead = np.zeros(len(asked.doc_ids), np.int64)
    edges = np.flatnonzero(np.diff(asked.queries, prepend=-1, append=-1))
    for start, stop in pairwise(edges):
        if stop - start == 1:
            continue
        part = slice(start, stop)
        counted = asked.positive[part] & searched[part]
        score, order = targets.scores[part][counted], targets.order[part][counted]
        for place in range(start, stop):
            own_score, own_order = targets.scores[place], targets.order[place]
            ahead[place] = ((score > own_score) | ((score == own_score) & (order < own_order))).sum()
    return ahead


def _candidates(questions: Questions, corpus: Corpus, ranks: Int64, found: Found) -> Iterator[Candidate]:
    asked = questions.asked
    starts = np.searchsorted(asked.queries, np.arange(len(questions.query_ids) + 1))
    top, spare = (_by_query(each, corpus, len(questions.query_ids)) for each in found.lists)
    for row, query_id in enumerate(questions.query_ids):
        sides: tuple[list[Scored], list[Scored]] = ([], [])
        for place in range(starts[row], starts[row + 1]):
            scored = Scored(asked.doc_ids[place], int(ranks[place]), float(asked.scores[place]))
            sides[0 if asked.positive[place] else 1].append(scored)
        positives, known = (sorted(side, key=_place) for side in sides)
        yield Candidate(query_id, positives, known, _pool(top[row], spare[row]))


def _place(scored: Scored) -> tuple[float, str]:
    return -scored.score, scored.doc_id


def _by_query(ranked: Ranked, corpus: Corpus, count: int) -> list[list[tuple[str, float]]]:
    hits = list(zip(corpus.ids_of(ranked.order), ranked.scores.tolist(), strict=True))
    edges = np.searchsorted(ranked.queries, np.arange(count + 1))
    return [hits[start:stop] for start, stop in pairwise(edges)]


def _pool(top: Sequence[tuple[str, float]], spare: Sequence[tuple[str, float]]) -> list[PoolEntry]:
    pool = {
        doc_id: PoolEntry(doc_id, score, [Hit(DENSE, rank, score)]) for rank, (doc_id, score) in enumerate(top, start=1)
    }
    for doc_id, score in spare:
        pool.setdefault(doc_id, PoolEntry(doc_id, score, []))
    return sorted(pool.values(), key=lambda entry: (-entry.score, entry.doc_id))
