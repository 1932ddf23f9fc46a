"""Near matches of short texts: MinHash over character 5-grams finds them, their exact Jaccard similarity decides."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oreline.decontamination.buckets import Arrays, Buckets, buckets_of, frozen, texts_behind
from oreline.minhash.compiled import compiled
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes, Sequences, Words
from oreline.minhash.parameters import recall
from oreline.minhash.permutations import Permutations, band_hashes

Shares = npt.NDArray[np.float64]

SEED = 1
"""Seed of the permutations: fixed, so that signatures are the same on every machine."""

_VALUES = 100
_MOST_ROWS = 8
_LEAST_RECALL = 0.999
_BLOCK_TEXTS = 2**16


@dataclass(frozen=True)
class Banding:
    """How signatures are cut: `bands` of `rows` values each."""

    bands: int
    rows: int

    def hashes(self, characters: Sequences) -> tuple[Ints, Hashes]:
        """Returns the texts that have character 5-grams, and their hash in each band, shape (texts, bands)."""
        permutations = Permutations.drawn(self.bands * self.rows, SEED)
        signed = np.flatnonzero(np.diff(characters.starts))
        found = [np.empty((0, self.bands), np.uint64)]
        for start in range(0, len(signed), _BLOCK_TEXTS):
            block = permutations.signatures(characters.take(signed[start : start + _BLOCK_TEXTS]))
            found.append(band_hashes(block, np.zeros(len(block), np.uint64), self.bands, self.rows))
        return signed, np.concatenate(found)


def banding(near: float) -> Banding:
    """Returns the most rows with which 100 values find 99.9 % of the pairs of similarity `near`."""
    for rows in range(_MOST_ROWS, 1, -1):
        bands = _VALUES // rows
        if recall(near, bands, rows) >= _LEAST_RECALL:
            return Banding(bands, rows)
    return Banding(_VALUES, 1)


def index_near(characters: Sequences, cut: Banding) -> Buckets:
    """Returns the test texts by the bands of their signatures."""
    signed, hashes = cut.hashes(characters)
    return buckets_of(hashes.ravel(), np.repeat(signed, cut.bands).astype(np.int32))


def find_near(
    training: Sequences, test: Sequences, index: Buckets, cut: Banding, *, near: float
) -> tuple[Ints, Ints, Shares]:
    """Returns training rows, test texts and similarities, 0 to 1, of pairs of similarity `near` or more, ascending."""
    signed, hashes = cut.hashes(training)
    return _near(
        (training.values, training.starts),
        (frozen(test.values), frozen(test.starts)),
        index.arrays,
        signed,
        hashes,
        near,
    )


@compiled
def _similarity(one: Words, other: Words) -> float:
    """Returns the Jaccard similarity of two sorted sets that are not empty."""
    left, right, common = 0, 0, 0
    while left < len(one) and right < len(other):
        if one[left] == other[right]:
            common += 1
            left += 1
            right += 1
        elif one[left] < other[right]:
            left += 1
        else:
            right += 1
    return common / (len(one) + len(other) - common)


@compiled
def _near(  # noqa: PLR0917 - numba takes flat arrays, by position
    training: tuple[Words, Ints],
    test: tuple[Words, Ints],
    index: Arrays,
    signed: Ints,
    hashes: Hashes,
    near: float,
) -> tuple[Ints, Ints, Shares]:
    rows = [np.int64(0) for _ in range(0)]
    texts = [np.int64(0) for _ in range(0)]
    shares = [0.0 for _ in range(0)]
    for place in range(len(signed)):
        row = signed[place]
        own = training[0][training[1][row] : training[1][row + 1]]
        for each in texts_behind(hashes[place], *index):
            text = np.int64(each)
            share = _similarity(own, test[0][test[1][text] : test[1][text + 1]])
            if share >= near:
                rows.append(row)
                texts.append(text)
                shares.append(share)
    return np.array(rows), np.array(texts), np.array(shares)
