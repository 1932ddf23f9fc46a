"""A block of queries as mining asks it: vectors, positives and known negatives with scores, what is left out."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.embeddings.store import VectorStore
from oreline.job import Job
from oreline.search.corpus import vector_keys
from oreline.search.scores import Float16, Float64, Int64, pair_scores
from oreline.search.tags import DOCUMENT_COLUMNS, Described, described, query_tags, sibling_tags

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
    positives and known negatives without vector.
    """

    query_ids: list[str]
    vectors: Float16
    asked: Asked
    left_out: list[set[bytes]]
    siblings: list[set[bytes]]
    unknown: int
    texts: list[str]


class MissingVectors(Exception):
    """The store lacks vectors that embed's table lists: `number` of them."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{number} vectors are not in the store")
        self.number = number


@dataclass(frozen=True)
class _Labels:
    """Positives and known negatives by query, and the positives of equal queries."""

    positives: dict[str, list[str]]
    negatives: dict[str, list[str]]
    equal: dict[str, set[str]]


def questions(job: Job, store: VectorStore, rows: pa.Table) -> Questions:
    """Returns the queries of `rows` (`QUERY_COLUMNS`) that have vectors, sorted by id.

    Raises MissingVectors if the store lacks a vector that the table `vectors` lists.
    """
    keys = vector_keys(job, rows.column("query_id").to_pylist(), "query")
    listed = sorted(row for row in zip(*(rows.column(name).to_pylist() for name in QUERY_COLUMNS), strict=True))
    listed = [row for row in listed if row[0] in keys]
    labels = _labels(job, listed)
    documents = _documents(job, (doc_id for ids in labels.equal.values() for doc_id in ids))
    left_out, siblings = [], []
    for query_id, _, text, _ in listed:
        equal = [documents[each] for each in labels.equal[query_id] if each in documents]
        own = [documents[each] for each in labels.positives[query_id] if each in documents]
        left_out.append(query_tags(text, equal, _sources(equal, documents)))
        siblings.append(sibling_tags(own, _sources(own, documents)))
    ids = [row[0] for row in listed]
    vectors = _vectors(store, [keys[query_id] for query_id in ids])
    asked, unknown = _asked(job, store, ids, vectors, labels)
    return Questions(ids, vectors, asked, left_out, siblings, unknown, [row[2] for row in listed])


def _labels(job: Job, listed: Iterable[tuple[str, str, str, str]]) -> _Labels:
    """Reads the pairs of queries and of their equals: the same normal form in the same dataset."""
    hashes = {(dataset, digest): query_id for query_id, dataset, _, digest in listed}
    others = job.lookup(
        "queries", "query_hash", (digest for _, digest in hashes), ["query_id", "dataset", "query_hash"]
    )
    same: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for query_id, dataset, digest in zip(*(column.to_pylist() for column in others.columns), strict=True):
        if (dataset, digest) in hashes:
            same[dataset, digest].append(query_id)
    wanted = {query_id for ids in same.values() for query_id in ids}
    pairs = job.lookup("pairs", "query_id", wanted, ["query_id", "doc_id", "label"])
    positives: defaultdict[str, set[str]] = defaultdict(set)
    negatives: defaultdict[str, set[str]] = defaultdict(set)
    for query_id, doc_id, label in zip(*(column.to_pylist() for column in pairs.columns), strict=True):
        if label == "positive":
            positives[query_id].add(doc_id)
        elif label == "negative":
            negatives[query_id].add(doc_id)
    equal: dict[str, set[str]] = {}
    for ids in same.values():
        union = {doc_id for query_id in ids for doc_id in positives[query_id]}
        equal.update(dict.fromkeys(ids, union))
    return _Labels(
        defaultdict(list, {query_id: sorted(ids) for query_id, ids in positives.items()}),
        defaultdict(list, {query_id: sorted(ids) for query_id, ids in negatives.items()}),
        equal,
    )


def _documents(job: Job, wanted: Iterable[str]) -> dict[str, Described]:
    """Returns documents by id, and those that they were made from."""
    found = {each.doc_id: each for each in described(job.lookup("documents", "doc_id", wanted, DOCUMENT_COLUMNS))}
    sources = {each.source for each in found.values() if each.source is not None} - found.keys()
    if sources:
        more = described(job.lookup("documents", "doc_id", sources, DOCUMENT_COLUMNS))
        found.update({each.doc_id: each for each in more})
    return found


def _sources(positives: Iterable[Described], documents: dict[str, Described]) -> list[Described]:
    return [documents[each.source] for each in positives if each.source is not None and each.source in documents]


def _asked(job: Job, store: VectorStore, query_ids: list[str], vectors: Float16, labels: _Labels) -> tuple[Asked, int]:
    named = [
        (row, doc_id, positive)
        for row, query_id in enumerate(query_ids)
        for positive, table in ((True, labels.positives), (False, labels.negatives))
        for doc_id in table[query_id]
    ]
    keys = vector_keys(job, {doc_id for _, doc_id, _ in named}, "document")
    known = [each for each in named if each[1] in keys]
    unique = sorted({keys[doc_id] for _, doc_id, _ in known})
    place = {key: number for number, key in enumerate(unique)}
    queries = np.array([row for row, _, _ in known], np.int64)
    rows = np.array([place[keys[doc_id]] for _, doc_id, _ in known], np.int64)
    scores = pair_scores(vectors, queries, _vectors(store, unique), rows)
    positive = np.array([each for _, _, each in known], np.bool_)
    return Asked(queries, [doc_id for _, doc_id, _ in known], scores, positive), len(named) - len(known)


def _vectors(store: VectorStore, keys: list[str]) -> Float16:
    vectors, found = store.lookup(keys)
    if not found.all():
        raise MissingVectors(int((~found).sum()))
    return vectors
