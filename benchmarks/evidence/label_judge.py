"""A judge that answers from the labels, wrong at a set rate: what relabelling is worth at that rate."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from oreline.ids import seeded_fraction
from oreline.judging.texts import shown_document, shown_query
from oreline.scripts import one_line

from training.heldout import Labelled

_PART = re.compile(r'<([a-z_]+)(?: number="(\d+)")?>\n(.*?)\n</\1>', re.DOTALL)


@dataclass
class LabelJudge:
    """Grades documents 3 if they are labelled for the query and 0 if not, and the other way at a model's error rate.

    Which verdicts are wrong is drawn by sha256 of model, query and document, so that a model errs alike whenever it is
    asked. `errors` gives the rate, 0 to 1, by model. Queries and documents of equal text are one.
    """

    labelled: Labelled
    errors: Mapping[str, float]
    verdicts: dict[str, int] = field(default_factory=dict)
    """How many verdicts each model gave."""

    def __post_init__(self) -> None:
        self._documents: dict[str, set[str]] = {}
        for doc_id, (title, text) in self.labelled.documents.items():
            self._documents.setdefault(_key(shown_document(title or None, text)), set()).add(doc_id)
        self._positives: dict[str, set[str]] = {}
        for query_id, found in self.labelled.positives.items():
            query = _key(shown_query(self.labelled.queries[query_id]))
            self._positives.setdefault(query, set()).update(found)

    def answer(self, model: str, prompt: str) -> str | None:
        """Returns the grades of all documents that a listwise prompt shows; None for another prompt."""
        parts = _PART.findall(prompt)
        query = next((_key(text) for tag, number, text in parts if tag == "query" and not number), None)
        documents = [(int(number), _key(text)) for tag, number, text in parts if tag == "document" and number]
        if query is None or not documents:
            return None
        self.verdicts[model] = self.verdicts.get(model, 0) + len(documents)
        grades = [
            {"document": number, "reason": "by the labels", "grade": self._grade(model, query, document)}
            for number, document in documents
        ]
        return json.dumps({"grades": grades})

    def _grade(self, model: str, query: str, document: str) -> int:
        relevant = bool(self._documents.get(document, set()) & self._positives.get(query, set()))
        wrong = seeded_fraction(0, "error", model, query, document) < self.errors.get(model, 0.0)
        return 3 if relevant != wrong else 0


def _key(text: str) -> str:
    """Returns a text as it was before a prompt made its tags harmless, white space apart."""
    return one_line(text.replace("&lt;", "<").replace("&#91;", "["))
