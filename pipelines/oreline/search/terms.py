"""Terms: the words by which BM25 knows a text, as numbers that are the same on every machine."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa

from oreline import normalise
from oreline.scripts import UNSPACED

TERMS = pa.list_(pa.int64())
COUNTS = pa.list_(pa.int32())

_PIECE = re.compile(f"([{UNSPACED}]+)|([^{UNSPACED}\\s]+)")


def words_of(text: str) -> list[str]:
    """Returns the words of a text, repeated ones too: NFKC, case-folded runs of letters, digits and marks.

    Everything else parts words (`os.path_join` is three). A run of a script without spaces gives its overlapping
    pairs of signs. No word is left out as a stop word and none is stemmed: a frequent word weighs little by itself.
    """
    found: list[str] = []
    for run, word in _PIECE.findall(normalise.normalise_text(text, "text")):
        if word:
            found.append(word)
        else:
            found.extend(run[place : place + 2] for place in range(max(1, len(run) - 1)))
    return found


def terms_of(texts: Sequence[str]) -> tuple[pa.Array, pa.Array]:
    """Returns per text its distinct terms (ascending 64-bit hashes of its words) and how often each stands in it."""
    counted = [sorted(Counter(_term(word) for word in words_of(text)).items()) for text in texts]
    terms = pa.array([[term for term, _ in each] for each in counted], TERMS)
    return terms, pa.array([[count for _, count in each] for each in counted], COUNTS)


@lru_cache(maxsize=1 << 18)
def _term(word: str) -> int:
    # Two of ten million words share a number with a chance of 3 in a million.
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little", signed=True)
