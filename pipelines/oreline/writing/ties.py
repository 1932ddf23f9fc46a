"""Ties between documents: rare words that two of them share, found without an encoder and without comparing all pairs.

A query over two documents needs something that joins them: a name, a term, a number that stands in both and in few
others. Each document gives its most telling words; words that stand in two to a few documents tie those together.
"""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from oreline.extractive.prose import content_words
from oreline.ids import seeded_fraction
from oreline.scripts import UNSPACED

_READ_CHARACTERS = 20_000
_WORD = re.compile(r"\w+(?:['’\-_.]\w+)*")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_SENTENCE_END = re.compile(r"[.!?…:]\s*$")
_MOST_SHARED = 0.75
"""Share of the fewer words from which two documents say nearly the same: a query would need only one of them."""


@dataclass(frozen=True)
class Member:
    """A document under one word or one parent; `asks` says that a companion is wanted for it."""

    doc_id: str
    parent_id: str | None
    place: int | None
    words: int
    asks: bool
    block: int


@dataclass(frozen=True)
class Near:
    """Another document that shares words with one: how many documents hold each of them."""

    doc_id: str
    block: int
    words: int
    shared: dict[str, int]


def telling_words(title: str | None, text: str, most: int) -> list[str]:
    """Returns the words by which a document can be tied to others, at most `most`, best first.

    Names and terms: what is written with a capital within a sentence, or mixes letters with digits. And what the
    document says more than once: a word in passing ties nothing. Function words, numbers and addresses are left out.
    Longer and more frequent words go first among each.
    """
    read = unicodedata.normalize("NFKC", f"{title or ''}\n{text[:_READ_CHARACTERS]}")
    wanted = content_words(read)
    named: set[str] = set()
    times = Counter[str]()
    for found in _WORD.finditer(read):
        word = found.group().casefold()
        if (
            word not in wanted
            or _UNSPACED.search(word)
            or word.count(".") > 1
            or not any(sign.isalpha() for sign in word)
        ):
            continue
        times[word] += 1
        if any(sign.isdigit() for sign in word) or (found.group()[:1].isupper() and _is_inside(read, found.start())):
            named.add(word)
    unspaced = Counter({pair: read.count(pair) for pair in wanted if _UNSPACED.search(pair)})
    ranked = {
        word: (word in named) + min(len(word), 12) / 12 + math.log(count) / 3
        for word, count in (times + unspaced).items()
        if count > 1 or word in named
    }
    return sorted(ranked, key=lambda word: (-ranked[word], word))[:most]


def _is_inside(text: str, start: int) -> bool:
    """Says whether a word stands within a sentence, where a capital means a name."""
    before = text[max(0, start - 4) : start]
    return start > 0 and "\n" not in before[-1:] and _SENTENCE_END.search(before) is None


def siblings(members: Sequence[Member], window: int) -> Iterator[tuple[Member, Member]]:
    """Yields each chunk of a parent that asks, with another one at most `window` places away, drawn by sha256."""
    ordered = sorted(members, key=lambda each: (each.place is None, each.place or 0, each.doc_id))
    for here, asker in enumerate(ordered):
        around = [*ordered[max(0, here - window) : here], *ordered[here + 1 : here + 1 + window]]
        if asker.asks and around:
            yield asker, min(around, key=lambda each: _draw(asker.doc_id, each.doc_id))


def nearest(doc_id: str, words: int, found: Iterable[Near], *, least: int, most_documents: int) -> Near | None:
    """Returns the document that shares the rarest words with one, or None if none shares `least` of them.

    A word counts the more, the fewer documents hold it. Documents that share three quarters of their words are nearly
    the same and are left out. Ties are broken by sha256 of the ids.
    """
    fitting = [
        each
        for each in found
        if len(each.shared) >= least and len(each.shared) <= _MOST_SHARED * max(1, min(words, each.words))
    ]

    def rank(each: Near) -> tuple[float, float]:
        weight = sum(math.log((1 + most_documents) / count) + 1 for count in each.shared.values())
        return -round(weight, 9), _draw(doc_id, each.doc_id)

    return min(fitting, key=rank, default=None)


def _draw(doc_id: str, other: str) -> float:
    return seeded_fraction(0, "companion", doc_id, other)
