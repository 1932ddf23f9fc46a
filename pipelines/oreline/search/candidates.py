"""Rows of the table `candidates` from what a search found, in Arrow: no Python object is made per document."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from oreline.search.corpus import Corpus
from oreline.search.hits import Hits
from oreline.search.questions import Asked, Questions
from oreline.search.scores import Int64
from oreline.search.shards import Ranked
from oreline.tables.schema import table_schema


def candidates(  # noqa: PLR0917 - what a search is asked and what it found
    questions: Questions, corpus: Corpus, order: Int64, ranks: Int64, lists: Mapping[str, Hits], spare: Ranked
) -> pa.Table:
    """Returns a row per query: its positives and known negatives best first, and its pool.

    `order` and `ranks` belong to the entries of `questions.asked`; `lists` are what the miners found, by their names,
    and `spare` the reference miner's best below the ceiling.
    """
    count = len(questions.query_ids)
    return pa.table(
        [
            pa.array(questions.query_ids, pa.string()),
            _placed(questions.asked, questions.asked.positive, corpus, order, ranks, count),
            _placed(questions.asked, ~questions.asked.positive, corpus, order, ranks, count),
            _pool(corpus, lists, spare, count),
        ],
        schema=table_schema("candidates"),
    )


def bare(query_ids: Sequence[str]) -> pa.Table:
    """Returns rows for queries that could not be searched: with nothing in them."""
    schema = table_schema("candidates")
    empty: list[list[object]] = [[] for _ in query_ids]
    return pa.table(
        [pa.array(query_ids, pa.string()), *(pa.array(empty, each.type) for each in list(schema)[1:])], schema
    )


def _placed(  # noqa: PLR0917 - the columns of one side
    asked: Asked,
    side: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]",
    corpus: Corpus,
    order: Int64,
    ranks: Int64,
    count: int,
) -> pa.Array:
    chosen = np.flatnonzero(side)
    chosen = chosen[np.lexsort((order[chosen], -asked.scores[chosen], asked.queries[chosen]))]
    kind = table_schema("candidates").field("positives").type
    columns = [corpus.ids_of(order[chosen]), pa.array(ranks[chosen]), pa.array(asked.scores[chosen])]
    return _lists(columns, asked.queries[chosen], count, kind)


def _pool(corpus: Corpus, lists: Mapping[str, Hits], spare: Ranked, count: int) -> pa.Array:
    """Returns the union of all lists per query, best by reference score first; a spare document alone has no hit."""
    kind = table_schema("candidates").field("pool").type
    every = [*(each.ranked for each in lists.values()), spare]
    queries = np.concatenate([each.queries for each in every])
    order = np.concatenate([each.order for each in every])
    scores = np.concatenate([*(each.reference for each in lists.values()), spare.scores])
    width = 1 + int(order.max(initial=0))
    # The same document has the same reference score in every list, bit for bit.
    unique, first, places = np.unique(queries * width + order, return_index=True, return_inverse=True)
    sorting = first[np.lexsort((order[first], -scores[first], queries[first]))]
    place_of = np.empty(len(unique), np.int64)
    place_of[places[sorting]] = np.arange(len(sorting))
    hits = _hits(lists, place_of[places], len(unique), kind.value_type.field("hits").type)
    columns = [corpus.ids_of(order[sorting]), pa.array(scores[sorting]), hits]
    return _lists(columns, queries[sorting], count, kind)


def _hits(lists: Mapping[str, Hits], places: Int64, count: int, kind: pa.DataType) -> pa.Array:
    """Returns a list per pool entry: the hits of all miners in their order; `places` are the entries of all hits."""
    found = [each.ranked for each in lists.values()]
    ranks = np.concatenate([np.empty(0, np.int64), *(_ranks(ranked) for ranked in found)])
    scores = np.concatenate([np.empty(0), *(ranked.scores for ranked in found)])
    lengths = [len(ranked.queries) for ranked in found]
    miners = np.repeat(np.arange(len(lists)), lengths)
    unscored = [
        np.zeros(length, np.bool_) if each.scored is None else ~each.scored
        for each, length in zip(lists.values(), lengths, strict=True)
    ]
    owners = places[: len(ranks)]
    sorting = np.lexsort((miners, owners))
    names = pa.array(list(lists), pa.string()).take(pa.array(miners[sorting]))
    own = pa.array(scores[sorting], mask=np.concatenate([np.empty(0, np.bool_), *unscored])[sorting])
    return _lists([names, pa.array(ranks[sorting]), own], owners[sorting], count, kind)


def _ranks(ranked: Ranked) -> Int64:
    return 1 + np.arange(len(ranked.queries)) - np.searchsorted(ranked.queries, ranked.queries)


def _lists(columns: Sequence[pa.Array], owners: Int64, count: int, kind: pa.DataType) -> pa.Array:
    """Returns `count` lists of structs; `owners`, which are sorted, say into which list each struct goes."""
    structs = pa.StructArray.from_arrays(list(columns), fields=list(kind.value_type))
    offsets = np.searchsorted(owners, np.arange(count + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=kind)
