"""Labelled corpora of which one positive per query is shown and the others are hidden: what a miner must not take."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from oreline.normalise import query_hash, text_hash
from oreline.records import Content

from training.heldout import Labelled


@dataclass(frozen=True)
class Hidden:
    """What is shown of a corpus, and the hidden positives of each query that has some, by id."""

    shown: Labelled
    hidden: Mapping[str, frozenset[str]]


def hide(whole: Labelled, content: Content) -> Hidden:
    """Returns a corpus with one positive per query, chosen by a hash, and the others hidden.

    Queries of equal text have each other's positives. What is equal in text to the shown positive is not hidden: no
    miner that compares texts can take it.
    """
    equal: dict[str, set[str]] = defaultdict(set)
    for query_id, found in whole.positives.items():
        equal[query_hash(whole.queries[query_id])] |= found
    texts = {doc_id: text_hash(" ".join(document), content) for doc_id, document in whole.documents.items()}
    shown: dict[str, set[str]] = {}
    hidden: dict[str, frozenset[str]] = {}
    for query_id, found in whole.positives.items():
        one = min(found, key=lambda doc_id: hashlib.sha256(f"{query_id} {doc_id}".encode()).digest())
        shown[query_id] = {one}
        others = equal[query_hash(whole.queries[query_id])] - {one}
        if kept := frozenset(each for each in others if texts[each] != texts[one]):
            hidden[query_id] = kept
    queries = {query_id: whole.queries[query_id] for query_id in shown}
    return Hidden(Labelled(whole.documents, queries, shown), hidden)
