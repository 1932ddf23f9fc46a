"""Training data as imperfect as written data: one positive shown, some of them wrong; and how wrong rows are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from evidence.swapping import Swapped, swap
from oreline.encoders.rendering import plain_document
from oreline.normalise import query_hash, text_hash
from oreline.records import Content

from training.heldout import Labelled, fraction
from training.rows import Row


@dataclass(frozen=True)
class Imperfect:
    """Some training queries with all their labels, and what is given of them: `swapped`."""

    whole: Labelled
    swapped: Swapped


def imperfect(training: Labelled, queries: int, share: float) -> Imperfect:
    """Returns so many training queries with one positive each, about `share` of them a document that is not theirs.

    Queries with several positives come first, as only there a miner can be seen to err; others fill up by hash. The
    documents are all of the training part.
    """
    order = sorted(training.positives, key=lambda each: (len(training.positives[each]) == 1, fraction(each)))
    chosen = {query_id: training.positives[query_id] for query_id in order[:queries]}
    whole = Labelled(training.documents, {query_id: training.queries[query_id] for query_id in chosen}, chosen)
    return Imperfect(whole, swap(whole, share))


@dataclass(frozen=True)
class Faults:
    """Shares of rows whose positive is not labelled, and of rows with a negative that is: 0 to 1."""

    positives: float
    negatives: float


@dataclass(frozen=True)
class Labels:
    """What is relevant to what, by hashes of texts as rows hold them; queries of equal text share their labels."""

    relevant: Mapping[str, AbstractSet[str]]
    content: Content

    def faults(self, rows: Sequence[Row]) -> Faults:
        """Returns how wrong some rows are, by the labels."""
        positives = sum(not self._knows(row.anchor, row.positive) for row in rows)
        negatives = sum(any(self._knows(row.anchor, each) for each in row.negatives) for row in rows)
        return Faults(positives / max(1, len(rows)), negatives / max(1, len(rows)))

    def _knows(self, anchor: str, text: str) -> bool:
        return text_hash(text, self.content) in self.relevant.get(query_hash(anchor), set())


def labels_of(labelled: Labelled, content: Content) -> Labels:
    """Returns the labels of a corpus by text."""
    relevant: dict[str, set[str]] = defaultdict(set)
    for query_id, doc_ids in labelled.positives.items():
        texts = {text_hash(plain_document(*labelled.documents[doc_id]), content) for doc_id in doc_ids}
        relevant[query_hash(labelled.queries[query_id])] |= texts
    return Labels(dict(relevant), content)
