"""Rows of the table `candidates` from what a search found, in Arrow: no Python object is made per document."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from oreline.search.corpus import Corpus
from oreline.search.questions import Asked, Questions
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Found
from oreline.tables.schema import table_schema

DENSE = "dense"


def candidates(questions: Questions, corpus: Corpus, order: Int64, ranks: Int64, found: Found) -> pa.Table:
    """Returns a row per query: its positives and known negatives best first, and its pool.

    `order` and `ranks` belong to the entries of `questions.asked`; `found` holds the list of ranks and the spare one.
    """
    count = len(questions.query_ids)
    return pa.table(
        [
            pa.array(questions.query_ids, pa.string()),
            _placed(questions.asked, questions.asked.positive, corpus, order, ranks, count),
            _placed(questions.asked, ~questions.asked.positive, corpus, order, ranks, count),
            _pool(corpus, found, count),
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


def _pool(corpus: Corpus, found: Found, count: int) -> pa.Array:
    """Returns the union of both lists per query, best first; only the first one's entries have a hit."""
    top, spare = found.lists
    starts = np.searchsorted(top.queries, np.arange(count))
    rank = 1 + np.arange(len(top.queries)) - starts[top.queries]
    width = 1 + max((int(each.order.max(initial=0)) for each in found.lists), default=0)
    fresh = ~np.isin(spare.queries * width + spare.order, top.queries * width + top.order)
    queries = np.concatenate([top.queries, spare.queries[fresh]])
    order = np.concatenate([top.order, spare.order[fresh]])
    scores = np.concatenate([top.scores, spare.scores[fresh]])
    ranks = np.concatenate([rank, np.zeros(int(fresh.sum()), np.int64)])
    sorting = np.lexsort((order, -scores, queries))
    kind = table_schema("candidates").field("pool").type
    hits = _hits(ranks[sorting], scores[sorting], kind.value_type.field("hits").type)
    columns = [corpus.ids_of(order[sorting]), pa.array(scores[sorting]), hits]
    return _lists(columns, queries[sorting], count, kind)


def _hits(ranks: Int64, scores: Float64, kind: pa.DataType) -> pa.Array:
    """Returns a list per entry: one hit with its rank, or none where the rank is 0."""
    hit = ranks > 0
    miner = pa.repeat(pa.scalar(DENSE, pa.string()), int(hit.sum()))
    return _lists([miner, pa.array(ranks[hit]), pa.array(scores[hit])], np.flatnonzero(hit), len(ranks), kind)


def _lists(columns: Sequence[pa.Array], owners: Int64, count: int, kind: pa.DataType) -> pa.Array:
    """Returns `count` lists of structs; `owners`, which are sorted, say into which list each struct goes."""
    structs = pa.StructArray.from_arrays(list(columns), fields=list(kind.value_type))
    offsets = np.searchsorted(owners, np.arange(count + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=kind)
