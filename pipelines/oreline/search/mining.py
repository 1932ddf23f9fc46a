"""Mining a block of queries: the search, and the candidates that come of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.recipe.settings import Mine
from oreline.recipe.settings.mine import BM25, DENSE
from oreline.search import bm25
from oreline.search.candidates import candidates
from oreline.search.corpus import Corpus
from oreline.search.dense import Searching, search_further
from oreline.search.hits import Hits, Proposal, refer
from oreline.search.places import ceilings, positives_ahead
from oreline.search.postings import Postings, read_postings, statistics
from oreline.search.questions import Questions
from oreline.search.shards import Shard, Targets, Wanted
from oreline.search.tags import TagIndex
from oreline.search.terms import terms_of


@dataclass(frozen=True)
class Mined:
    """The candidates of a block (rows of the table), sorted by query id, and how many lists were scored twice.

    `alone` counts, where several miners searched, the pool entries that only one of them found; `left_out` the imported
    candidates that their queries leave out, by miner.
    """

    candidates: pa.Table
    rescored: int
    alone: dict[str, int]
    left_out: dict[str, int]


def mine(
    questions: Questions,
    corpus: Corpus,
    settings: Mine,
    searching: Searching = Searching(),  # noqa: B008 - frozen
    imported: Mapping[str, Proposal] = MappingProxyType({}),
) -> Mined:
    """Returns one candidate per query: exact places of positives and known negatives, and the pool.

    The pool holds each miner's best `top_k` of what is searched, and the reference miner's best `spare` below the
    ceiling that are no siblings of a positive; a query without a scored positive gets no spare ones, unless the
    ceiling is a fixed score. The reference miner scores every document of the pool, whoever found it.
    """
    left_out, siblings = TagIndex(questions.left_out), TagIndex(questions.siblings)

    def shards(paths: Sequence[str] | None = None) -> Iterator[Shard]:
        return corpus.shards(left_out, siblings, paths=paths)

    count = len(questions.query_ids)
    wanted = (
        Wanted(settings.top_k if DENSE in settings.miners else 0, np.full(count, np.inf)),
        Wanted(settings.spare, ceilings(questions.asked, count, settings)),
    )
    asked = questions.asked
    ids = pa.array(asked.doc_ids, pa.string())
    targets = Targets(asked.queries, asked.scores, corpus.order_of(ids))
    found = searching.search(DENSE, questions.vectors, shards, wanted, targets)
    ranks = 1 + found.ahead - positives_ahead(asked, targets, corpus.holds(ids))
    rescored = found.rescored
    proposed = dict(imported)
    for miner, seen in questions.further.items():
        ranked, twice = search_further(miner, seen, corpus, questions.left_out, settings.top_k, searching)
        proposed[miner] = Proposal(ranked)
        rescored += twice
    referred = refer(proposed, corpus, questions.vectors, left_out, settings.top_k)
    lists = {**referred.lists, DENSE: Hits(found.lists[0], found.lists[0].scores)}
    if BM25 in settings.miners:
        lists[BM25] = _by_words(questions, corpus, settings, left_out)
    # A file may hold nothing for a block of queries.
    lists = {miner: lists[miner] for miner in settings.miners if miner in lists}
    rows = candidates(questions, corpus, targets.order, ranks, lists, found.lists[1])
    alone = _alone(rows, settings.miners) if len(settings.miners) > 1 else {}
    return Mined(rows, rescored, alone, {miner: referred.left_out[miner] for miner in imported})


def _alone(rows: pa.Table, miners: Sequence[str]) -> dict[str, int]:
    hits = pc.struct_field(pc.list_flatten(rows.column("pool").combine_chunks()), "hits")
    single = hits.filter(pc.equal(pc.list_value_length(hits), 1))
    names = pc.struct_field(pc.list_flatten(single), "miner")
    return {miner: pc.sum(pc.equal(names, miner)).as_py() or 0 for miner in miners}


def _by_words(questions: Questions, corpus: Corpus, settings: Mine, left_out: TagIndex) -> Hits:
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
