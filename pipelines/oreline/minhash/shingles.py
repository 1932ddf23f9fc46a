"""Shingles: the word n-grams of a document, as hashes."""

import hashlib
import re
import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from oreline.normalise import normalise_text
from oreline.records import Content
from oreline.scripts import UNSPACED

Shingles = npt.NDArray[np.uint32]
"""Sorted distinct 32-bit hashes; two documents are compared by the overlap of these."""

# A character of a script without spaces is a token, with the signs that stand above or below it.
_TOKEN = re.compile(f"[{UNSPACED}][\u0300-\u036f\u0e31\u0e34-\u0e4e]*|[^\\s{UNSPACED}]+")
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)


def tokens(title: str | None, text: str, content: Content) -> list[str]:
    """Returns the tokens of title and text together.

    Text: words of the normal form; in scripts without spaces, characters. Code: what white space separates, as it is.
    """
    whole = f"{title}\n{text}" if title else text
    if content == "code":
        return unicodedata.normalize("NFC", whole).split()
    return _TOKEN.findall(normalise_text(whole, content))


def shingles(title: str | None, text: str, content: Content, ngram: int) -> Shingles:
    """Returns the shingles of a document; none if it has fewer than `ngram` tokens (it is then compared exactly)."""
    words = tokens(title, text, content)
    count = len(words) - ngram + 1
    if count < 1:
        return np.empty(0, np.uint32)
    hashed = np.fromiter((_token_hash(word) for word in words), np.uint64, len(words))
    combined = np.zeros(count, np.uint64)
    for place in range(ngram):
        combined = combined * _BASE + hashed[place : place + count]
    combined = (combined ^ (combined >> _SHIFT)) * _MIX
    return np.unique((combined >> _SHIFT).astype(np.uint32))


@lru_cache(maxsize=1 << 17)
def _token_hash(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "big")
