"""Prose: which sentences could pass for a query, and which words tie one to the rest of its document."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand

import re
import unicodedata

from oreline.extractive.stopwords import LEANING_SIGNS, LEANING_STARTS, POINTING, STOPWORDS
from oreline.scripts import UNSPACED, one_line, word_count

LEAST_WORDS = 6
MOST_WORDS = 60
LEAST_CONTENT_WORDS = 3
_EARLY_WORDS = 5
_LEAST_LETTERS = 0.7
_MOST_CODE_WORDS = 0.25
_WORD = re.compile(f"[^\\W{UNSPACED}]+(?:['’\\-_.][^\\W{UNSPACED}]+)*")
_UNSPACED_RUN = re.compile(f"[{UNSPACED}]{{2,}}")
_CODE_WORD = re.compile(r"https?://|\w\(|\w[./\\]\w+[./\\]\w|[=<>{}\[\]|\\;$@^~`*]|^--?\w|_\w+_|^\W+$")
_QUOTES = "\"'“”„«»‘’( "


def reads_as_prose(sentence: str) -> bool:
    """Says whether a sentence reads as running language that says something.

    It is long enough, whole, mostly letters, with little code in it and three content words.

    `sentence` stands on one line, without a list mark.
    """
    if not LEAST_WORDS <= word_count(sentence) <= MOST_WORDS:
        return False
    if sentence[:1].islower() or sentence.rstrip(_QUOTES)[-1:] in (":", ",", ";", "-", "—"):
        return False
    dense = [sign for sign in sentence if not sign.isspace()]
    if sum(unicodedata.category(sign)[0] in "LM" for sign in dense) < _LEAST_LETTERS * len(dense):
        return False
    if len(content_words(sentence)) < LEAST_CONTENT_WORDS:
        return False
    words = sentence.split()
    if sum(word.endswith(":") for word in words) > 1:
        return False
    return sum(_CODE_WORD.search(word) is not None for word in words) <= _MOST_CODE_WORDS * len(words)


def leans_on_others(sentence: str) -> bool:
    """Says whether a sentence points back (`It ...`, `However, ...`, `Some of these ...`) and says little alone."""
    bare = sentence.lstrip(_QUOTES)
    early = [found.casefold() for found in _WORD.findall(bare)[:_EARLY_WORDS]]
    if early and _WORD.match(bare):
        return early[0] in LEANING_STARTS or not POINTING.isdisjoint(early)
    return bare.startswith(LEANING_SIGNS)


def content_words(text: str) -> frozenset[str]:
    """Returns what a text is about: its words of three letters or more that are no function words, folded.

    In scripts without spaces every two neighbouring signs count as a word.
    """
    folded = unicodedata.normalize("NFKC", one_line(text)).casefold()
    found = {word for word in _WORD.findall(folded) if len(word) > 2 and word not in STOPWORDS and not word.isdigit()}
    for run in _UNSPACED_RUN.findall(folded):
        found.update(run[place : place + 2] for place in range(len(run) - 1))
    return frozenset(found)
