"""Folding: normal forms of texts that are not ASCII, character by character, in a compiled loop.

The normal form of a text is that of its characters one after the other, as long as none of them combines with the one
before it: no mark, and no part of a Hangul syllable. Texts that hold such a character go through Python as a whole.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import numpy.typing as npt

from oreline.minhash.compiled import compiled
from oreline.minhash.words import GOES_ON, prepared
from oreline.records import Content

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_CODES = 0x110000
_UNKNOWN, _COMBINES = -1, -2
_HANGUL_PARTS = range(0x1160, 0x1200)

_FOLLOWER = re.compile(f"[{GOES_ON}]")


@dataclass
class Folds:
    """What each character becomes, looked up once: where its bytes stand in `pool`, and how many they are."""

    content: Content
    starts: Ints = field(default_factory=lambda: np.full(_CODES, _UNKNOWN, np.int64))
    lengths: Bytes = field(default_factory=lambda: np.zeros(_CODES, np.uint8))
    pool: Bytes = field(default_factory=lambda: np.empty(0, np.uint8))
    _lock: Lock = field(default_factory=Lock)

    def folded(self, data: Bytes, starts: Ints, ends: Ints) -> tuple[Bytes, Ints]:
        """Returns the normal forms of texts end to end, and the length of each; -1 for one that Python must take.

        Text i is data[starts[i, 0]:ends[i, 0]], a space, data[starts[i, 1]:ends[i, 1]], in UTF-8.
        """
        with self._lock:  # a stage's workers may be threads
            seen = np.zeros(_CODES, np.uint8)
            if _mark_unknown(data, starts, ends, self.starts, seen):
                self._learn(np.flatnonzero(seen).tolist())
            pool = self.pool
        lengths = _measured(data, starts, ends, self.starts, self.lengths)
        return _written(data, starts, ends, self.starts, self.lengths, pool, lengths), lengths

    def _learn(self, codes: list[int]) -> None:
        pieces, place = [self.pool], len(self.pool)
        for code in codes:
            sign = chr(code)
            first = unicodedata.normalize("NFKD", sign)[:1]
            marks = unicodedata.category(first)[0] == "M" or _FOLLOWER.match(first) is not None
            if marks or ord(first) in _HANGUL_PARTS or 0xD800 <= code < 0xE000:
                self.starts[code] = _COMBINES
                continue
            # Between letters, a sign that is no letter becomes a space.
            form = prepared(f"a{sign}a", self.content)[1:-1]
            self.starts[code], self.lengths[code] = place, len(form)
            pieces.append(np.frombuffer(form, np.uint8))
            place += len(form)
        self.pool = np.concatenate(pieces)


@compiled
def _decoded(data: Bytes, place: int, end: int) -> tuple[int, int]:
    """Returns the code of the character at a place, and the place after it."""
    byte = int(data[place])
    size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    code = byte if size == 1 else byte & (0x7F >> size)
    after = place + 1
    while after < min(place + size, end):
        code = (code << 6) | (int(data[after]) & 0x3F)
        after += 1
    return min(code, _CODES - 1), after


@compiled
def _mark_unknown(data: Bytes, starts: Ints, ends: Ints, known: Ints, seen: Bytes) -> bool:
    """Marks the characters that were not looked up yet; says whether there are any."""
    found = False
    for row in range(len(starts)):
        for side in range(2):
            place = starts[row, side]
            while place < ends[row, side]:
                code, place = _decoded(data, place, ends[row, side])
                if known[code] == _UNKNOWN:
                    seen[code] = 1
                    found = True
    return found


@compiled
def _measured(data: Bytes, starts: Ints, ends: Ints, known: Ints, sizes: Bytes) -> Ints:
    """Returns the length of each text's form; -1 where a character combines or nothing but space is left."""
    found = np.zeros(len(starts), np.int64)
    for row in range(len(starts)):
        length = 1
        for side in range(2):
            place = starts[row, side]
            while place < ends[row, side]:
                code, place = _decoded(data, place, ends[row, side])
                if known[code] == _COMBINES:
                    length = -1
                    break
                length += sizes[code]
            if length < 0:
                break
        found[row] = length
    return found


@compiled
def _written(  # noqa: PLR0917 - numba takes flat arrays, by position
    data: Bytes, starts: Ints, ends: Ints, known: Ints, sizes: Bytes, pool: Bytes, lengths: Ints
) -> Bytes:
    total = 0
    for row in range(len(lengths)):
        total += max(lengths[row], 0)
    found = np.empty(total, np.uint8)
    at = 0
    for row in range(len(starts)):
        if lengths[row] < 0:
            continue
        first, filled = at, 0
        for side in range(2):
            place = starts[row, side]
            while place < ends[row, side]:
                code, place = _decoded(data, place, ends[row, side])
                for byte in range(known[code], known[code] + sizes[code]):
                    found[at] = pool[byte]
                    filled |= pool[byte] ^ 32
                    at += 1
            if side == 0:
                found[at] = 32
                at += 1
        if filled == 0:
            # Where nothing but signs is there, they are kept; Python knows how.
            lengths[row] = -1
            at = first
    return found[:at]
