"""Inverse cloze: a sentence of a document is the query, the document without it the positive (Lee et al. 2019, §4).

"Latent Retrieval for Weakly Supervised Open Domain Question Answering", arXiv 1906.00300. There a tenth of the
documents keep their sentence; here it always leaves, as the wording would otherwise be all there is to match.
"""

import re
from collections import Counter
from dataclasses import dataclass

from oreline.extractive.layout import bullet_length
from oreline.extractive.prose import content_words, leans_on_others, reads_as_prose
from oreline.extractive.sentences import Sentence, sentences
from oreline.ids import seeded_fraction
from oreline.scripts import one_line, word_count

LEAST_REST_WORDS = 15
LEAST_LEANING_WORDS = 8
STRONG_TIE = 2
"""Content words that a sentence shares with its document if one can be found that does."""
_MOST_TRIES = 20
_LONGEST = 10_000
"""Characters above which a sentence is not looked at: no 60 words with their links are as long."""
_LINK = re.compile(r"!?\[([^\]\[]*)\]\([^)\s]*\)")


@dataclass(frozen=True)
class Cloze:
    """A sentence on one line, and the text without it."""

    sentence: str
    rest: str


def cloze(doc_id: str, title: str | None, text: str, seed: int) -> Cloze | None:
    """Takes one sentence out of a text, drawn by sha256 from `seed` and `doc_id`; None if none can go.

    A sentence can go if it reads as prose, is nowhere else in title or text, shares a content word with them, and
    leaves at least 15 words of text. Sentences that stand alone go before those that lean on another (`It ...`), which
    need eight words.
    """
    prose = (each for each in sentences(text) if each.kind == "prose" and each.end - each.start <= _LONGEST)
    found = [(each, _query(text, each)) for each in prose]
    times = Counter(query.casefold() for _, query in found)
    candidates = [each for each, query in found if times[query.casefold()] == 1 and _is_candidate(query)]
    drawn = sorted(candidates, key=lambda each: (leans_on_others(_query(text, each)), _draw(seed, doc_id, each)))
    for least_shared in (STRONG_TIE, 1):
        for sentence in drawn[:_MOST_TRIES]:
            taken = _take(text, sentence)
            if _is_good(taken, title, least_shared):
                return taken
    return None


def _take(text: str, sentence: Sentence) -> Cloze:
    before, after = text[: sentence.start], text[sentence.end :]
    gap = text[sentence.start : sentence.end]
    # The break that the sentence ended with stays, so that paragraphs do not run together.
    end = gap[len(gap.rstrip()) :]
    rest = before + end.lstrip(" \t") + after if "\n" in end else before + after
    return Cloze(_query(text, sentence), rest.strip("\r\n"))


def _is_good(taken: Cloze, title: str | None, least_shared: int) -> bool:
    if word_count(taken.rest) < LEAST_REST_WORDS:
        return False
    around = f"{title or ''}\n{taken.rest}"
    if taken.sentence.casefold() in one_line(around).casefold():
        return False
    return len(content_words(taken.sentence) & content_words(around)) >= least_shared


def _query(text: str, sentence: Sentence) -> str:
    raw = text[sentence.start : sentence.end]
    return one_line(_LINK.sub(r"\1", raw[bullet_length(raw) :]))


def _is_candidate(query: str) -> bool:
    return reads_as_prose(query) and not (leans_on_others(query) and word_count(query) < LEAST_LEANING_WORDS)


def _draw(seed: int, doc_id: str, sentence: Sentence) -> float:
    return seeded_fraction(seed, doc_id, str(sentence.start))
