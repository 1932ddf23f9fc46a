"""MinHash signatures, and the buckets that documents fall into by their bands."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from datasketch import MinHash

from oreline.minhash.shingles import Shingles

SEED = 1
"""Seed of the permutations: fixed, so that buckets are the same on every machine."""

Hashes = npt.NDArray[np.uint64]

_FOLD = np.uint64(0x9FB21C651E98DF25)
_SHIFT = np.uint64(29)


def signatures(documents: Sequence[Shingles], permutations: int) -> npt.NDArray[np.uint32]:
    """Returns the signatures of documents with at least one shingle each, shape (documents, permutations).

    Broder, On the resemblance and containment of documents (1997); the permutations are datasketch's.
    """
    minhash = MinHash(num_perm=permutations, seed=SEED, hashfunc=_identity)
    found = np.empty((len(documents), permutations), np.uint32)
    for place, document in enumerate(documents):
        minhash.clear()
        minhash.update_batch(document.tolist())
        found[place] = minhash.hashvalues
    return found


def band_buckets(values: npt.NDArray[np.uint32], scopes: Hashes, bands: int) -> Hashes:
    """Returns the bucket of each document in each band, shape (documents, bands).

    Documents share a bucket if they share a scope and all rows of the band; unequal ones by chance once in 2**64.
    """
    documents, permutations = values.shape
    rows = permutations // bands
    grouped = values.reshape(documents, bands, rows).astype(np.uint64)
    state = _mixed(scopes[:, None] + np.arange(1, bands + 1, dtype=np.uint64)[None, :])
    for row in range(rows):
        state = _mixed(state ^ grouped[:, :, row])
    return state


def string_buckets(values: Sequence[str]) -> Hashes:
    """Returns 64-bit hashes of strings."""
    digests = b"".join(hashlib.blake2b(value.encode(), digest_size=8).digest() for value in values)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def _mixed(state: Hashes) -> Hashes:
    state = (state ^ (state >> _SHIFT)) * _FOLD
    return state ^ (state >> _SHIFT)


def _identity(value: int) -> int:
    return value
