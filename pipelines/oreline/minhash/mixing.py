"""The two halves of our rolling hashes: the base of the polynomial, and what spreads its bits."""

import numpy as np

from oreline.minhash.compiled import compiled

BASE = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: odd, so that a power of it never loses a bit."""

_MIX_ONE = np.uint64(0xFF51AFD7ED558CCD)
_MIX_TWO = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


@compiled
def mixed(value: np.uint64) -> np.uint64:
    """Returns a value, 64 bits, with its bits spread, one to one: the finalizer of MurmurHash3 (Appleby 2011)."""
    value = (value ^ (value >> _SHIFT)) * _MIX_ONE
    value = (value ^ (value >> _SHIFT)) * _MIX_TWO
    return value ^ (value >> _SHIFT)
