"""A block of queries as mining asks it: vectors, positives and known negatives with scores, what is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from oreline.embeddings.store import VectorStore
from oreline.job import Job
from oreline.search.corpus import vector_keys, vector_rows
from oreline.search.further import FURTHER, Seen, further_keys, seen_by, vectors_of
from oreline.search.labels import Labels, labelled
from oreline.search.scores import Float16, Float64, Int64, pair_scores

QUERY_COLUMNS = ("query_id", "dataset", "query", "query_hash")


@dataclass(frozen=True)
class Asked:
    """Documents that are asked for by name, flat: per entry the query's row, the document, and its exact score."""

    queries: Int64
    doc_ids: list[str]
    scores: Float64
    positive: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"


@dataclass(frozen=True)
class Questions:
    """A block of queries that have vectors.

    `left_out` and `siblings` are tags, one set per query; `texts` are the queries as they stand. `unknown` are
    positives and known negatives without vector. `further` are the vectors of further encoders, by miner.
    """

    query_ids: list[str]
    vectors: Float16
    asked: Asked
    left_out: list[set[bytes]]
    siblings: list[set[bytes]]
    unknown: int
    texts: list[str]
    further: Mapping[str, Seen] = field(default_factory=dict)


def questions(
    job: Job, store: VectorStore, rows: pa.Table, further: Mapping[str, VectorStore] = MappingProxyType({})
) -> Questions:
    """Returns the queries of `rows` (`QUERY_COLUMNS`) that have vectors, sorted by id.

    `further` are the stores of further encoders by miner. Raises MissingVectors if a store lacks a vector that the
    table `vectors` lists.
    """
    known = vector_rows(job, rows.column("query_id").to_pylist(), "query")
    keys = dict(zip(known.column("id").to_pylist(), known.column("vector_key").to_pylist(), strict=True))
    elsewhere = further_keys(known)
    listed = sorted(row for row in zip(*(rows.column(name).to_pylist() for name in QUERY_COLUMNS), strict=True))
    listed = [row for row in listed if row[0] in keys]
    told = labelled(job, listed)
    ids = [row[0] for row in listed]
    vectors = vectors_of(store, [keys[query_id] for query_id in ids])
    asked, unknown = _asked(job, store, ids, vectors, told.labels)
    others = pa.array([elsewhere.get(query_id) for query_id in ids], FURTHER)
    seen = {miner: seen_by(miner, others, its) for miner, its in further.items()}
    return Questions(ids, vectors, asked, told.left_out, told.siblings, unknown, [row[2] for row in listed], seen)


def _asked(job: Job, store: VectorStore, query_ids: list[str], vectors: Float16, labels: Labels) -> tuple[Asked, int]:
    named = labels.named(query_ids)
    keys = vector_keys(job, {doc_id for _, doc_id, _ in named}, "document")
    known = [each for each in named if each[1] in keys]
    unique = sorted({keys[doc_id] for _, doc_id, _ in known})
    place = {key: number for number, key in enumerate(unique)}
    queries = np.array([row for row, _, _ in known], np.int64)
    rows = np.array([place[keys[doc_id]] for _, doc_id, _ in known], np.int64)
    scores = pair_scores(vectors, queries, vectors_of(store, unique), rows)
    positive = np.array([each for _, _, each in known], np.bool_)
    return Asked(queries, [doc_id for _, doc_id, _ in known], scores, positive), len(named) - len(known)
