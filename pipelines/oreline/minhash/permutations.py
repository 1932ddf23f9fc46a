"""Permutations and the minima under them: MinHash signatures, bit for bit those of datasketch.

Broder, On the resemblance and containment of documents (1997). The scheme is datasketch's `affine32` (2.0): each hash
is mixed once by MurmurHash3's 32-bit finalizer, then permuted by a * h + b modulo 2**32 with odd a.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oreline.minhash.compiled import compiled
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes, Sequences, Words

SCHEME = "affine32"
EMPTY = np.uint32(0xFFFFFFFF)
"""The signature's values of a text without shingles; its bands mean nothing."""

_MIX_ONE = np.uint32(0x85EBCA6B)
_MIX_TWO = np.uint32(0xC2B2AE35)
_FOLD = np.uint64(0x9FB21C651E98DF25)
_SHIFT = np.uint64(29)


@dataclass(frozen=True)
class Permutations:
    """The permutations that datasketch draws for a seed: `factors` and `offsets`, uint32, one of each per value."""

    number: int
    seed: int
    factors: Words
    offsets: Words

    @classmethod
    def drawn(cls, number: int, seed: int) -> "Permutations":
        """Returns `number` permutations for a seed, which are others for another number."""
        from datasketch import MinHash  # takes half a second, and brings scipy: no command needs it to check a recipe

        factors, offsets = MinHash(num_perm=number, seed=seed, scheme=SCHEME).permutations
        return cls(number, seed, np.ascontiguousarray(factors), np.ascontiguousarray(offsets))

    def signatures(self, sequences: Sequences) -> npt.NDArray[np.uint32]:
        """Returns the signatures of shingles (sets, or n-grams with repeats), shape (texts, number), uint32."""
        return _minima(sequences.values, sequences.starts, self.factors, self.offsets)


def band_hashes(signatures: npt.NDArray[np.uint32], scopes: Hashes, bands: int, rows: int) -> Hashes:
    """Returns the bucket of each text in each band, shape (texts, bands), uint64.

    Texts share a bucket if they share a scope and all `rows` values of the band; unequal ones by chance once in 2**64.
    """
    grouped = signatures[:, : bands * rows].reshape(len(signatures), bands, rows)
    state = _folded(scopes[:, None] + np.arange(1, bands + 1, dtype=np.uint64)[None, :])
    for row in range(rows):
        state = _folded(state ^ grouped[:, :, row])
    return state


def agreement(one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Returns the share of equal values of signatures row by row: an estimate of the Jaccard similarity.

    Its standard error is sqrt(s * (1 - s) / permutations).
    """
    return np.asarray((one == other).mean(axis=1), dtype=np.float64)


def _folded(state: Hashes) -> Hashes:
    state = (state ^ (state >> _SHIFT)) * _FOLD
    return state ^ (state >> _SHIFT)


@compiled
def _minima(values: Words, starts: Ints, factors: Words, offsets: Words) -> npt.NDArray[np.uint32]:
    rows = len(starts) - 1
    number = len(factors)
    found = np.full((rows, number), EMPTY, np.uint32)
    for row in range(rows):
        least = found[row]
        for place in range(starts[row], starts[row + 1]):
            value = values[place]
            value = np.uint32((value ^ (value >> np.uint32(16))) * _MIX_ONE)
            value = np.uint32((value ^ (value >> np.uint32(13))) * _MIX_TWO)
            value = np.uint32(value ^ (value >> np.uint32(16)))
            for each in range(number):
                permuted = np.uint32(factors[each] * value + offsets[each])
                least[each] = min(least[each], permuted)
    return found
