"""Stored vectors in the number format of a first pass, with how far each of them moved."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from numba import njit

from oreline.minhash.compiled import summing
from oreline.search.scores import LARGEST_NORM, Float16, Float64, Halves, halves, unfit

_SCALE = np.float32(2.0**112)
_ROOM = 1.001
"""For the rounding of float32 sums of squares, at most d·u = 0.0003 of them."""


@dataclass(frozen=True)
class Narrowed:
    """Vectors as float16 or bfloat16, n x d; per row a bound on its length, and on how far the conversion moved it.

    float16 ones are not moved: float32, which they are multiplied in, holds them.
    """

    values: torch.Tensor
    norms: Float64
    moved: Float64


def _loose(bits: np.uint16) -> np.float32:
    """Returns a float16 number from its bits, quicker than `half`; one that is not finite becomes 65,536 or more."""
    wide = np.int32(bits)
    return np.int32(((wide & 0x7FFF) << 13) | ((wide & 0x8000) << 16)).view(np.float32) * _SCALE


_number = cast("Callable[[np.uint16], np.float32]", njit(_loose, inline="always"))


# Sums may take any order.
@summing
def _round(vectors: Halves, values: npt.NDArray[np.int16], squares: Float64, moved: Float64) -> None:
    for row in range(len(vectors)):
        square, off = np.float32(0), np.float32(0)
        for place in range(vectors.shape[1]):
            exact = np.float32(_number(vectors[row, place]))
            bits = exact.view(np.int32)
            # To the nearest, ties to even.
            near = np.int32(np.int32(bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)
            values[row, place] = near
            step = exact - np.int32(near << 16).view(np.float32)
            square += exact * exact
            off += step * step
        squares[row], moved[row] = square, off


@summing
def _measure(vectors: Halves, squares: Float64) -> None:
    for row in range(len(vectors)):
        square = np.float32(0)
        for place in range(vectors.shape[1]):
            exact = np.float32(_number(vectors[row, place]))
            square += exact * exact
        squares[row] = square


def narrowed(vectors: Float16, narrow: bool, threads: int = 1) -> Narrowed:  # noqa: FBT001 - the format
    """Returns vectors, as bfloat16 where `narrow`; raises Unfit for one that is not finite or too long."""
    stored = halves(vectors)
    squares, moved = np.zeros((2, len(vectors)))
    values = torch.from_numpy(stored.view(np.float16))
    edges = [len(vectors) * number // threads for number in range(threads + 1)]
    parts = [slice(*each) for each in pairwise(edges)]
    with ThreadPoolExecutor(threads, "oreline-narrow") as pool:
        if narrow:
            bits = np.empty(vectors.shape, np.int16)
            values = torch.from_numpy(bits).view(torch.bfloat16)
            done = pool.map(lambda part: _round(stored[part], bits[part], squares[part], moved[part]), parts)
        else:
            done = pool.map(lambda part: _measure(stored[part], squares[part]), parts)
        for _ in done:
            pass
    norms = np.sqrt(squares)
    # Judged without room, as `largest_norm` judges queries.
    if not (norms <= LARGEST_NORM).all():
        unfit(vectors, int(np.flatnonzero(~(norms <= LARGEST_NORM))[0]))
    return Narrowed(values, norms * _ROOM, np.sqrt(moved) * _ROOM)
