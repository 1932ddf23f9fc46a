"""Answers derived from a prompt's own documents, so that whole recipes run to sensible rows against the local server.

A deriver is known by the keys of the answer's schema: it gets what the prompt shows and returns the answer. It knows
no language: it takes words and sentences of the documents, and draws by the prompt's hash. What has no deriver is
answered by `gemini_writer` from the schema alone. Modules that add derivers: see `DERIVERS` at the end.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oreline.ids import Json

_PART = re.compile(r'<([a-z_]+)(?: number="(\d+)")?>\n(.*?)\n</\1>', re.DOTALL)
_SENTENCE = re.compile(r"[^.!?\n]+")
_WORD = re.compile(r"\w+")
_COUNT = re.compile(r"\b(?:Write|write) (\d+)\b")


@dataclass(frozen=True)
class Sight:
    """What a prompt's user section shows."""

    prompt: str

    def texts(self, tag: str) -> list[str]:
        """The delimited parts of a name, in order."""
        return [text for name, _, text in _PART.findall(self.prompt) if name == tag]

    def text(self, tag: str) -> str:
        """The first part of a name, empty if there is none."""
        return next(iter(self.texts(tag)), "")

    def count(self, default: int = 1) -> int:
        """The number in `Write 3 queries`."""
        found = _COUNT.search(self.prompt)
        return int(found[1]) if found else default

    def number(self, *what: str) -> int:
        """A number drawn by the prompt's hash, the same for the same prompt."""
        return int.from_bytes(hashlib.sha256("\n".join((self.prompt, *what)).encode("utf-8", "replace")).digest()[:6])

    def one_of(self, choices: Sequence[str], *what: str) -> str:
        """One of some choices, drawn."""
        return choices[self.number(*what) % len(choices)]


def sentences(text: str, least_words: int = 3) -> list[str]:
    """The sentences of a text that have enough words; the whole text if none has."""
    found = [each.strip() for each in _SENTENCE.findall(text) if len(_WORD.findall(each)) >= least_words]
    return found or [text.strip() or "nothing"]


def keywords(text: str, most: int = 6) -> str:
    """The longest words of a text in their order, as somebody types them."""
    words = list(dict.fromkeys(_WORD.findall(text)))
    telling = set(sorted((word for word in words if len(word) > 2), key=len, reverse=True)[:most]) or set(words[:most])
    return " ".join(word for word in words if word in telling).lower()


TASKS = {
    "question_answering": "Given a question, find a passage that answers it.",
    "retrieval": "Given the words of a search, find a passage about them.",
    "fact_checking": "Given a claim, find a passage that supports or refutes it.",
    "sentence_similarity": "Given a statement, find a passage that says the same.",
    "code_retrieval": "Given what code should do, find code that does it.",
    "free_form": "Given something of one's own, find a passage that bears on it.",
}


def fret(sight: Sight) -> Json:
    """Queries of the kinds that were suggested, each of another sentence of the document."""
    shown = sentences(sight.text("document"))
    suggested = [kind for kind in TASKS if kind in sight.prompt] or ["retrieval"]
    suggested.sort(key=sight.prompt.find)
    first = sight.number("first") % len(shown)
    queries: list[Json] = []
    for place in range(sight.count(2)):
        kind = suggested[place % len(suggested)]
        query = keywords(shown[(first + place) % len(shown)])
        queries.append({"task_type": kind, "task": TASKS[kind], "query": query})
    return {"queries": queries}


def summary(sight: Sight) -> Json:
    """The first two sentences of a passage."""
    return {"summary": ". ".join(sentences(sight.text("document"))[:2]) + "."}


def questions(sight: Sight) -> Json:
    """Questions about words of the summary's and the passage's sentences."""
    shown = [*sentences(sight.text("summary")), *sentences(sight.text("document"))]
    return {"questions": [f"what about {keywords(shown[place % len(shown)])}" for place in range(sight.count())]}


Deriver = Callable[[Sight], Json]

DERIVERS: dict[frozenset[str], Deriver] = {
    frozenset({"queries"}): fret,
    frozenset({"summary"}): summary,
    frozenset({"questions"}): questions,
}
"""Derivers by the keys of the answer that they make."""
