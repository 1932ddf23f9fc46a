"""N-grams of texts as 32-bit hashes: words or characters, by a rolling hash, no Python object per word.

A word's hash is FNV-1a over the bytes of its normal form, mixed by MurmurHash3's finalizer; an n-gram's is the
polynomial of its words' hashes modulo 2**64 (Karp and Rabin 1987), rolled along the text, mixed and cut to 32 bits.
"""

# ruff: noqa: PLR0917 - numba takes flat arrays, by position

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.minhash.compiled import compiled
from oreline.minhash.forms import FORMS, Bytes, Forms, Ints, forms_of
from oreline.minhash.mixing import BASE, mixed
from oreline.records import Content

Unit = Literal["word", "character"]
Hashes = npt.NDArray[np.uint64]
Words = npt.NDArray[np.uint32]

_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Shape:
    """What a shingle is: `ngram` consecutive words, or characters of the normal form, spaces included."""

    ngram: int
    unit: Unit = "word"


@dataclass(frozen=True)
class Sequences:
    """Rows of numbers of any length, end to end: row i is values[starts[i]:starts[i + 1]]."""

    values: Words
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> Words:
        return self.values[self.starts[row] : self.starts[row + 1]]

    def take(self, rows: Ints) -> "Sequences":
        """Returns some rows, in the order given."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return Sequences(_taken(self.values, self.starts[rows], starts), starts)


def grams(forms: Forms, shape: Shape) -> Sequences:
    """Returns the n-grams of each text in order, repeated ones too; none where it has fewer than `ngram` units."""
    hashes, starts = _unit_hashes(forms, shape.unit)
    values, ends = _rolled(hashes, starts, shape.ngram)
    return Sequences(values, ends)


def units(forms: Forms, unit: Unit) -> Sequences:
    """Returns the units of each text in order, as 32-bit hashes: what an edit distance counts in."""
    hashes, starts = _unit_hashes(forms, unit)
    return Sequences((hashes >> _HALF).astype(np.uint32), starts)


def shingle_sets(sequences: Sequences) -> Sequences:
    """Returns the sorted distinct values of each row: sets, ready to be intersected."""
    values, starts = _distinct(sequences.values, sequences.starts)
    return Sequences(values, starts)


def shingles_of(
    texts: pa.Array | pa.ChunkedArray, content: Content, shape: Shape, titles: pa.Array | None = None
) -> Sequences:
    """Returns the shingles of texts (Arrow strings) of one content type as sorted distinct 32-bit hashes."""
    return shingle_sets(grams(forms_of(texts, content, titles), shape))


def _unit_hashes(forms: Forms, unit: Unit) -> tuple[Hashes, Ints]:
    if unit == "word":
        return _words(forms.data, forms.starts, forms.ends, forms.form, FORMS)
    counts = _counted(forms.data, forms.starts, forms.ends, forms.form, FORMS)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return _characters(forms.data, forms.starts, forms.ends, forms.form, FORMS, starts), starts


@compiled
def _counted(data: Bytes, starts: Ints, ends: Ints, form: Bytes, forms: Bytes) -> Ints:
    """Returns the number of characters of each text."""
    counts = np.zeros(len(starts), np.int64)
    for row in range(len(starts)):
        table = forms[form[row]]
        words = 0
        signs = 0
        for side in range(2):
            within = False
            for place in range(starts[row, side], ends[row, side]):
                byte = table[data[place]]
                if byte == 32:
                    within = False
                else:
                    words += not within
                    within = True
                    signs += (byte & 0xC0) != 0x80
        counts[row] = signs + max(words - 1, 0)
    return counts


@compiled
def _words(data: Bytes, starts: Ints, ends: Ints, form: Bytes, forms: Bytes) -> tuple[Hashes, Ints]:
    """Returns the hash of each word, text after text, and where each text's words start."""
    most = 0
    for row in range(len(starts)):
        for side in range(2):
            most += (ends[row, side] - starts[row, side] + 1) // 2
    # Room that is not written to takes no memory; counting the words first would read all texts twice.
    found = np.empty(most, np.uint64)
    offsets = np.zeros(len(starts) + 1, np.int64)
    place_in = 0
    for row in range(len(starts)):
        table = forms[form[row]]
        for side in range(2):
            within = False
            state = _OFFSET
            for place in range(starts[row, side], ends[row, side]):
                byte = table[data[place]]
                if byte != 32:
                    state = (state ^ np.uint64(byte)) * _PRIME
                    within = True
                elif within:
                    found[place_in] = mixed(state)
                    place_in += 1
                    state = _OFFSET
                    within = False
            if within:
                found[place_in] = mixed(state)
                place_in += 1
        offsets[row + 1] = place_in
    return found[:place_in], offsets


@compiled
def _characters(data: Bytes, starts: Ints, ends: Ints, form: Bytes, forms: Bytes, offsets: Ints) -> Hashes:
    """Returns the hash of each character, one space between two words, text after text."""
    found = np.empty(offsets[-1], np.uint64)
    for row in range(len(starts)):
        table = forms[form[row]]
        first = offsets[row]
        place_in = first
        for side in range(2):
            pending = place_in > first
            for place in range(starts[row, side], ends[row, side]):
                byte = table[data[place]]
                if byte == 32:
                    pending = place_in > first
                    continue
                if (byte & 0xC0) == 0x80:
                    # A byte that goes on with the character before it.
                    found[place_in - 1] = (found[place_in - 1] ^ np.uint64(byte)) * _PRIME
                    continue
                if pending:
                    found[place_in] = (_OFFSET ^ np.uint64(32)) * _PRIME
                    place_in += 1
                    pending = False
                found[place_in] = (_OFFSET ^ np.uint64(byte)) * _PRIME
                place_in += 1
        for place in range(first, place_in):
            found[place] = mixed(found[place])
    return found


@compiled
def _rolled(hashes: Hashes, starts: Ints, ngram: int) -> tuple[Words, Ints]:
    rows = len(starts) - 1
    ends = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        ends[row + 1] = ends[row] + max(starts[row + 1] - starts[row] - ngram + 1, 0)
    leaving = np.uint64(1)
    for _ in range(ngram):
        leaving *= BASE
    found = np.empty(ends[-1], np.uint32)
    for row in range(rows):
        if ends[row + 1] == ends[row]:
            continue
        first = starts[row]
        state = np.uint64(0)
        for place in range(first, first + ngram - 1):
            state = state * BASE + hashes[place]
        for gram in range(ends[row + 1] - ends[row]):
            last = first + gram + ngram - 1
            state = state * BASE + hashes[last]
            if gram > 0:
                state -= leaving * hashes[first + gram - 1]
            found[ends[row] + gram] = np.uint32(mixed(state) >> _HALF)
    return found, ends


@compiled
def _distinct(values: Words, starts: Ints) -> tuple[Words, Ints]:
    rows = len(starts) - 1
    found = np.empty(len(values), np.uint32)
    ends = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        ordered = np.sort(values[starts[row] : starts[row + 1]])
        at = ends[row]
        for place in range(len(ordered)):
            if place == 0 or ordered[place] != ordered[place - 1]:
                found[at] = ordered[place]
                at += 1
        ends[row + 1] = at
    return found[: ends[rows]].copy(), ends


@compiled
def _taken(values: Words, froms: Ints, starts: Ints) -> Words:
    found = np.empty(starts[-1], np.uint32)
    for row in range(len(froms)):
        length = starts[row + 1] - starts[row]
        found[starts[row] : starts[row + 1]] = values[froms[row] : froms[row] + length]
    return found
