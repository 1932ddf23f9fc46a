"""Near-equal texts: Jaccard similarity of word 5-grams."""

from oreline.minhash.words import words_of
from oreline.records import Content
from oreline.selection.cases import Passage

NGRAM = 5
_REMEMBERED = 2_048


class NearEqual:
    """Compares passages by the Jaccard similarity of their texts' word 5-grams, computed exactly.

    Words are the tokens that dedup compares (`minhash.words.words_of`), without the title. Texts with fewer than 5
    words are compared by equality of their normal forms. A passage without text raises ValueError. Shingles of recent
    passages are remembered.
    """

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self._shingles: dict[str, frozenset[str]] = {}

    def __call__(self, one: Passage, other: Passage) -> bool:
        """Says whether two passages reach the threshold; never without a threshold."""
        if self._threshold is None:
            return False
        return self.similarity(one, other) >= self._threshold

    def similarity(self, one: Passage, other: Passage) -> float:
        """Returns the similarity of two passages, 0 to 1."""
        if one.text_hash == other.text_hash:
            return 1.0
        first, second = self._of(one), self._of(other)
        if not first or not second:
            return 0.0
        shared = len(first & second)
        return shared / (len(first) + len(second) - shared)

    def _of(self, passage: Passage) -> frozenset[str]:
        found = self._shingles.get(passage.doc_id)
        if found is None:
            if passage.text is None:
                raise ValueError(f"{passage.doc_id}: comparing texts needs the text, which was not read")
            found = shingles(passage.text, passage.content)
            if len(self._shingles) >= _REMEMBERED:
                self._shingles.clear()
            self._shingles[passage.doc_id] = found
        return found


def shingles(text: str, content: Content) -> frozenset[str]:
    """Returns the word 5-grams of a text, words joined by a space; none if it has fewer than 5 words."""
    words = words_of(None, text, content)
    return frozenset(" ".join(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1))
