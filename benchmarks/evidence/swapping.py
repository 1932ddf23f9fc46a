"""Labelled corpora of which some queries are given a wrong positive: what a judge should find and mend."""

from dataclasses import dataclass

from oreline.ids import seeded_fraction

from training.heldout import Labelled


@dataclass(frozen=True)
class Swapped:
    """A corpus as it is given, with one positive per query; `wrong` are the queries whose positive is a wrong one."""

    given: Labelled
    wrong: frozenset[str]


def swap(whole: Labelled, share: float) -> Swapped:
    """Returns a corpus in which about `share` of the queries have a document as positive that is none of theirs.

    Queries and documents are drawn by sha256. No document is drawn that is labelled for the query, or of equal text.
    """
    documents = sorted(whole.documents)
    given: dict[str, set[str]] = {}
    wrong: set[str] = set()
    for query_id, labelled in sorted(whole.positives.items()):
        right = min(labelled, key=lambda doc_id: seeded_fraction(0, "shown", query_id, doc_id))
        given[query_id] = {right}
        if seeded_fraction(0, "swap", query_id) < share:
            first = int(seeded_fraction(0, "wrong", query_id) * len(documents))
            texts = {whole.documents[doc_id] for doc_id in labelled}
            turned = (documents[(first + step) % len(documents)] for step in range(len(documents)))
            given[query_id] = {next(doc_id for doc_id in turned if whole.documents[doc_id] not in texts)}
            wrong.add(query_id)
    queries = {query_id: whole.queries[query_id] for query_id in given}
    return Swapped(Labelled(whole.documents, queries, given), frozenset(wrong))
