"""Floats as ordered integers: float32 or bfloat16 numbers whose bits compare as their values do.

Kernels compare integers, as 32 bfloat16 scores fit a vector register. A key is a number's bits with all but the sign
flipped where it is negative; bits of -1 have the least key of all, below that of -inf, and stand for "left out".
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

from oreline.minhash.compiled import compiled
from oreline.search.scores import Float64, Int64

Keys = npt.NDArray[np.int16] | npt.NDArray[np.int32]
"""Scores as bits, or their keys: int16 for bfloat16, int32 for float32."""

LEFT_OUT = -1
"""The bits of a score that no list takes."""


def key_of(bits: np.int16 | np.int32) -> np.int16 | np.int32:
    """Returns the key of a number from its bits: of bfloat16 where they are int16, of float32 where they are int32."""
    return _narrow_key(np.int16(bits)) if isinstance(bits, np.int16) else _wide_key(np.int32(bits))


def _narrow_key(bits: np.int16) -> np.int16:
    return np.int16(bits ^ ((bits >> 15) & 0x7FFF))


def _wide_key(bits: np.int32) -> np.int32:
    return np.int32(bits ^ ((bits >> 31) & 0x7FFFFFFF))


@overload(key_of, strict=False)
def _key_of(bits: types.Type) -> Callable[..., np.int16 | np.int32]:
    """Chooses by type while a kernel is compiled: kernels that were handed a function could not be kept on disk."""
    return _narrow_key if bits == types.int16 else _wide_key


@compiled
def value_of(key: int, narrow: bool) -> float:  # noqa: FBT001 - a kernel's flag
    """Returns the number that has a key; `narrow`: of bfloat16."""
    wide = np.int32(key)
    bits = (wide ^ ((wide >> 31) & 0x7FFF)) << 16 if narrow else wide ^ ((wide >> 31) & 0x7FFFFFFF)
    return np.float64(np.int32(bits).view(np.float32))


@compiled
def key_down(value: float, narrow: bool) -> int:  # noqa: FBT001 - a kernel's flag
    """Returns a key that no number >= `value` is below; the largest, but for one near 0."""
    rounded = np.float32(value)
    bits = np.int64(np.float32(rounded).view(np.int32))
    key = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    if np.float64(rounded) > value:
        key -= 1
    if narrow:
        key >>= 16
    # Truncation rounds a negative number up, and -0 has a key of its own.
    return int(key - 1 if key <= 0 else key)


@compiled
def key_up(value: float, narrow: bool) -> int:  # noqa: FBT001 - a kernel's flag
    """Returns a key that no number <= `value` is above; the smallest, but for one near 0."""
    rounded = np.float32(value)
    bits = np.int64(np.float32(rounded).view(np.int32))
    key = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    if np.float64(rounded) < value:
        key += 1
    if narrow:
        key = (key + 0xFFFF) >> 16
    return int(key + 1 if key <= 0 else key)


@compiled
def lowered(value: float, error: float, rounding: float) -> float:
    """Returns a number x so that a first-pass score below x (or: at most x) means an exact one below `value`.

    A first-pass score is within `error` of the exact one, and then rounded: by at most `rounding` times its size.
    """
    if np.isinf(value):
        return value
    return value - error - 1.02 * rounding * (abs(value) + error)


@compiled
def raised(value: float, error: float, rounding: float) -> float:
    """Returns a number x so that a first-pass score above x means an exact one above `value`."""
    if np.isinf(value):
        return value
    return value + error + 1.02 * rounding * (abs(value) + error)


@compiled
def bounds(  # noqa: PLR0917 - a kernel
    values: Float64,
    errors: Float64,
    rounding: float,
    narrow: bool,  # noqa: FBT001 - a kernel's flag
    low: Int64,
    high: Int64,
) -> None:
    """Fills the keys between which a first-pass score may belong to an exact score equal to each value.

    A score with a key < `low` is surely below the value, one with a key > `high` surely above it.
    """
    for place in range(len(values)):
        low[place] = key_down(lowered(values[place], errors[place], rounding), narrow)
        high[place] = key_up(raised(values[place], errors[place], rounding), narrow)
