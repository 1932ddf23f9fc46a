"""Keyphrase: a keyword query of three to six terms from a document, scored within it, after RAKE.

Rose et al. 2010, "Automatic keyword extraction from individual documents": phrases are runs of words between function
words and signs; a word's score grows with how often it stands in long phrases.
"""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from oreline.extractive.sentences import sentences
from oreline.extractive.stopwords import HAN_FUNCTION_SIGNS, STOPWORDS
from oreline.extractive.title import title_query
from oreline.scripts import UNSPACED

LEAST_TERMS = 3
MOST_TERMS = 6
_LONGEST_PHRASE = 3
_LONGEST_TERM = 24
_READ_CHARACTERS = 20_000
_TITLE_BONUS = 1.5
_TITLE_TERMS = 4
_HAN_RUN = f"(?:(?![{HAN_FUNCTION_SIGNS}])[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々]){{2,8}}"
_KATAKANA_RUN = "[\u30a1-\u30fa\u30fc\u31f0-\u31ff]{2,}"
_TOKEN = re.compile(
    f"(?P<run>{_HAN_RUN}|{_KATAKANA_RUN})|(?P<word>[^\\W_{UNSPACED}](?:[^\\W{UNSPACED}]|['’\\-](?=[^\\W{UNSPACED}]))*)"
    f"|(?P<skip>[^\\S\\n]+|\\n)|(?P<sign>.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class _Term:
    """A word as first written, with the folded form by which it is counted."""

    shown: str
    folded: str


def keyphrase_query(title: str | None, text: str) -> str | None:
    """Returns a keyword query of three to six terms, or None if the document has fewer that carry meaning.

    The best phrases of at most three words, in the order in which the document brings them, no term twice. A title of
    at most four terms goes before them; the terms of a longer one count half as much again. Only prose is read, at
    most its first 20,000 characters.
    """
    in_title = list(_phrases(title_query(title) or ""))
    phrases = [*in_title, *(phrase for line in _prose(text) for phrase in _phrases(line))]
    scores = _term_scores(phrases, {term.folded for phrase in in_title for term in phrase})
    chosen: list[tuple[int, _Term]] = []
    taken: set[str] = set()
    ranked = _ranked(phrases, scores)
    if sum(len(phrase) for phrase in in_title) <= _TITLE_TERMS:
        ranked = [*enumerate(in_title), *ranked]
    for place, phrase in ranked:
        fresh = [term for term in phrase if not _is_taken(term.folded, taken)]
        if len(fresh) < len(phrase) and len(chosen) >= LEAST_TERMS:
            continue
        if not fresh or len(chosen) + len(fresh) > MOST_TERMS:
            continue
        chosen.extend((place, term) for term in fresh)
        taken.update(term.folded for term in fresh)
        if len(chosen) >= MOST_TERMS - 1:
            break
    if len(chosen) < LEAST_TERMS:
        return None
    return " ".join(term.shown for _, term in sorted(chosen, key=lambda each: each[0]))


def _prose(text: str) -> Iterator[str]:
    read = text[:_READ_CHARACTERS]
    return (read[each.start : each.end] for each in sentences(read) if each.kind == "prose")


def _phrases(text: str) -> Iterator[tuple[_Term, ...]]:
    """Yields runs of at most three content words that no function word or sign interrupts."""
    run: list[_Term] = []
    for found in _TOKEN.finditer(unicodedata.normalize("NFC", text)):
        if found["skip"] is not None:
            continue
        term = _term(found)
        if term is None or found["run"] is not None or len(run) == _LONGEST_PHRASE:
            if run:
                yield tuple(run)
            run = []
        if term is not None and found["run"] is not None:
            yield (term,)
        elif term is not None:
            run.append(term)
    if run:
        yield tuple(run)


def _term(found: re.Match[str]) -> _Term | None:
    shown = found["run"] or found["word"]
    if shown is None:
        return None
    shown = re.sub(r"['’]s$", "", shown)
    folded = unicodedata.normalize("NFKC", shown).casefold().replace("’", "'")
    if folded in STOPWORDS or len(folded) > _LONGEST_TERM or (len(folded) < 3 and found["run"] is None):
        return None
    return _Term(shown, folded) if any(unicodedata.category(sign)[0] == "L" for sign in folded) else None


def _term_scores(phrases: list[tuple[_Term, ...]], in_title: set[str]) -> dict[str, float]:
    """Returns a score per folded term: the root of its degree (sum of its phrases' lengths), more if in the title."""
    degree = Counter[str]()
    for phrase in phrases:
        for term in phrase:
            degree[term.folded] += len(phrase)
    return {term: math.sqrt(value) * (_TITLE_BONUS if term in in_title else 1.0) for term, value in degree.items()}


def _ranked(phrases: list[tuple[_Term, ...]], scores: dict[str, float]) -> list[tuple[int, tuple[_Term, ...]]]:
    """Returns distinct phrases with the place where they first stand, best first; early ones win ties."""
    counts = Counter(tuple(term.folded for term in phrase) for phrase in phrases)
    first: dict[tuple[str, ...], int] = {}
    for place, phrase in enumerate(phrases):
        first.setdefault(tuple(term.folded for term in phrase), place)

    def rank(key: tuple[str, ...]) -> tuple[float, int]:
        mean = sum(scores[term] for term in key) / len(key)
        return (-mean * (1 + math.log(counts[key])) * math.sqrt(len(key)), first[key])

    return [(first[key], phrases[first[key]]) for key in sorted(first, key=rank)]


def _is_taken(term: str, taken: set[str]) -> bool:
    """Says whether a term, or the same word with another ending, was taken: a common start of all but two letters."""
    return any(_same_word(term, other) for other in taken)


def _same_word(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) > 3 and len(long) - len(short) <= 2 and long.startswith(short))
