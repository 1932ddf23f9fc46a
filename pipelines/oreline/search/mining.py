"""Mining a block of queries: the search, and the candidates that come of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.recipe.settings import Mine
from oreline.search import bm25
from oreline.search.candidates import candidates
from oreline.search.corpus import Corpus
from oreline.search.exact import Search
from oreline.search.postings import Postings, read_postings, statistics
from oreline.search.questions import Asked, Questions
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Shard, Targets, Tiles, Wanted
from oreline.search.tags import TagIndex
from oreline.search.terms import terms_of
from oreline.selection.ceilings import ceiling_of


@dataclass(frozen=True)
class Mined:
    """The candidates of a block (rows of the table), sorted by query id, and how many lists were scored twice.

    `alone` counts, where several miners searched, the pool entries that only one of them found.
    """

    candidates: pa.Table
    rescored: int
    alone: dict[str, int]


def mine(
    questions: Questions, corpus: Corpus, settings: Mine, device: str = "cpu", tiles: Tiles | None = None
) -> Mined:
    """Returns one candidate per query: exact places of positives and known negatives, and the pool.

    The pool holds each miner's best `top_k` of what is searched, and the reference miner's best `spare` below the
    ceiling that are no siblings of a positive; a query without a scored positive gets no spare ones, unless the
    ceiling is a fixed score.
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
    others = {"bm25": _by_words(questions, corpus, settings, left_out)} if "bm25" in settings.miners else {}
    rows = candidates(questions, corpus, targets.order, ranks, found, others)
    return Mined(rows, found.rescored, _alone(rows, settings.miners) if others else {})


def _alone(rows: pa.Table, miners: Sequence[str]) -> dict[str, int]:
    hits = pc.struct_field(pc.list_flatten(rows.column("pool").combine_chunks()), "hits")
    single = hits.filter(pc.equal(pc.list_value_length(hits), 1))
    names = pc.struct_field(pc.list_flatten(single), "miner")
    return {miner: pc.sum(pc.equal(names, miner)).as_py() or 0 for miner in miners}


def _by_words(questions: Questions, corpus: Corpus, settings: Mine, left_out: TagIndex) -> bm25.Lexical:
    """Returns what BM25 finds, with what the reference miner says of it."""
    asking = bm25.asking(*terms_of(questions.texts), questions.vectors)

    def parts() -> Iterator[bm25.Part]:
        read: tuple[str, Postings] | None = None
        for path, start, shard in corpus.parts(left_out):
            if read is None or read[0] != path:
                read = path, read_postings(path, asking.unique)
            yield bm25.Part(shard, start, read[1])

    known = statistics(corpus.paths, asking.unique)
    return bm25.search(asking, parts(), known, settings.bm25, settings.top_k)


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
