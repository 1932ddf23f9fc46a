"""The labels of a block of queries: positives, known negatives, and what a query leaves out because of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oreline.job import Job
from oreline.search.tags import DOCUMENT_COLUMNS, Described, described, query_tags, sibling_tags

Listed = tuple[str, str, str, str]
"""A query's id, dataset, text and hash."""


@dataclass(frozen=True)
class Labels:
    """Positives and known negatives by query, and the positives of equal queries."""

    positives: dict[str, list[str]]
    negatives: dict[str, list[str]]
    equal: dict[str, set[str]]

    def named(self, query_ids: Sequence[str]) -> list[tuple[int, str, bool]]:
        """Returns (row, document, whether it is a positive) of all positives and known negatives of some queries."""
        return [
            (row, doc_id, positive)
            for row, query_id in enumerate(query_ids)
            for positive, table in ((True, self.positives), (False, self.negatives))
            for doc_id in table[query_id]
        ]


@dataclass(frozen=True)
class Labelled:
    """Labels of queries, and tags of what each leaves out and of its positives' siblings."""

    labels: Labels
    left_out: list[set[bytes]]
    siblings: list[set[bytes]]


def labelled(job: Job, listed: Sequence[Listed]) -> Labelled:
    """Reads the labels of queries, and describes what their positives rule out."""
    labels = _labels(job, listed)
    documents = _documents(job, (doc_id for ids in labels.equal.values() for doc_id in ids))
    left_out, siblings = [], []
    for query_id, _, text, _ in listed:
        equal = [documents[each] for each in labels.equal[query_id] if each in documents]
        own = [documents[each] for each in labels.positives[query_id] if each in documents]
        left_out.append(query_tags(text, equal, _sources(equal, documents)))
        siblings.append(sibling_tags(own, _sources(own, documents)))
    return Labelled(labels, left_out, siblings)


def _labels(job: Job, listed: Iterable[Listed]) -> Labels:
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
    return Labels(
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
