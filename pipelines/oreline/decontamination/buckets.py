"""Hashes and the test texts behind each: what all three kinds of matches are looked up in."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from oreline.minhash.compiled import compiled
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes

Element = TypeVar("Element", bound=np.generic)
Numbers = npt.NDArray[np.int32]
Arrays = tuple[Hashes, Numbers, Ints, np.uint64]

MOST_TEXTS = 256
"""A hash of more test texts than these is boilerplate and leads to none of them; rarer ones do."""


_BITS_BELOW = 3
"""Some 8 hashes share a prefix: they lie in one or two lines of the processor's cache."""


@dataclass(frozen=True)
class Buckets:
    """Sorted hashes with a test text each; those of prefix p (their highest bits) begin at prefixes[p]."""

    hashes: Hashes
    texts: Numbers
    prefixes: Ints

    @property
    def arrays(self) -> "Arrays":
        """Hashes, texts, prefixes, and the bits of a hash below its prefix, as kernels take them."""
        bits = (len(self.prefixes) - 1).bit_length() - 1
        return frozen(self.hashes), frozen(self.texts), frozen(self.prefixes), np.uint64(64 - bits)


def frozen(array: npt.NDArray[Element]) -> npt.NDArray[Element]:
    """Returns a view that cannot be written to, as an index in a mapped file is: one compilation serves both."""
    view = array.view()
    view.flags.writeable = False
    return view


def buckets_of(hashes: Hashes, texts: Numbers, most: int = MOST_TEXTS) -> Buckets:
    """Returns buckets of hashes, uniformly spread over 64 bits, and the numbers of their texts, which must ascend.

    A pair that comes twice is kept once; a hash of more than `most` texts is left out.
    """
    order = np.argsort(hashes, kind="stable")
    hashes, texts = hashes[order], texts[order]
    new_hash = np.ones(len(hashes), np.bool_)
    new_hash[1:] = hashes[1:] != hashes[:-1]
    new_pair = new_hash.copy()
    new_pair[1:] |= texts[1:] != texts[:-1]
    hashes, texts, new_hash = hashes[new_pair], texts[new_pair], new_hash[new_pair]
    runs = np.diff(np.append(np.flatnonzero(new_hash), len(hashes)))
    rare = np.repeat(runs <= most, runs)
    hashes, texts = hashes[rare], texts[rare]
    bits = max(1, len(hashes).bit_length() - _BITS_BELOW)
    counts = np.bincount((hashes >> np.uint64(64 - bits)).astype(np.int64), minlength=1 << bits)
    return Buckets(hashes, texts, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))


@compiled
def _first_at(hashes: Hashes, prefixes: Ints, shift: np.uint64, wanted: np.uint64) -> int:
    """Returns the first place of sorted hashes (see `Buckets`) that is not below `wanted`."""
    prefix = np.int64(wanted >> shift)
    low, high = prefixes[prefix], prefixes[prefix + 1]
    while low < high:
        middle = (low + high) // 2
        if hashes[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return int(low)


@compiled
def texts_behind(wanted: Hashes, hashes: Hashes, texts: Numbers, prefixes: Ints, shift: np.uint64) -> Numbers:
    """Returns the test texts that hashes lead to (see `Buckets`), each once, ascending."""
    found = [np.int32(0) for _ in range(0)]
    for each in wanted:
        at = _first_at(hashes, prefixes, shift, each)
        while at < len(hashes) and hashes[at] == each:
            found.append(texts[at])
            at += 1
    ordered = np.sort(np.array(found)) if found else np.empty(0, np.int32)
    kept = 0
    for text in ordered:
        if kept == 0 or ordered[kept - 1] != text:
            ordered[kept] = text
            kept += 1
    return ordered[:kept]
