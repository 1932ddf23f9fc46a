"""Stored vectors in the number format of a first pass, with how far each of them moved."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from numba import njit

from oreline.search.scores import LARGEST_NORM, Float16, Float64, Halves, half, halves, unfit

_ROOM = 1.001
"""For the rounding of float32 sums of squares, at most d·u = 0.0003 of them."""


@dataclass(frozen=True)
class Narrowed:
    """Vectors as float32 or bfloat16, n x d; per row a bound on its length, and on how far the conversion moved it."""

    values: torch.Tensor
    norms: Float64
    moved: Float64


def _round_rows(vectors: Halves, values: npt.NDArray[np.int16], squares: Float64, moved: Float64) -> None:
    for row in range(len(vectors)):
        square, off = np.float32(0), np.float32(0)
        for place in range(vectors.shape[1]):
            exact = np.float32(half(vectors[row, place]))
            bits = exact.view(np.int32)
            # To the nearest, ties to even.
            near = np.int32(np.int32(bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)
            values[row, place] = near
            step = exact - np.int32(near << 16).view(np.float32)
            square += exact * exact
            off += step * step
        squares[row], moved[row] = square, off


# Sums may take any order, so the compiler may choose one that fills the vector registers.
_round = cast(
    "Callable[[Halves, npt.NDArray[np.int16], Float64, Float64], None]",
    njit(_round_rows, nogil=True, fastmath={"reassoc", "contract"}),
)


def narrowed(vectors: Float16, narrow: bool) -> Narrowed:  # noqa: FBT001 - the format
    """Returns vectors as bfloat16 (`narrow`) or float32; raises Unfit for one that is not finite or too long."""
    squares, moved = np.zeros((2, len(vectors)))
    if narrow:
        bits = np.empty(vectors.shape, np.int16)
        _round(halves(vectors), bits, squares, moved)
        values = torch.from_numpy(bits).view(torch.bfloat16)
    else:
        values = torch.from_numpy(np.ascontiguousarray(vectors)).float()
        squares = torch.linalg.vector_norm(values, dim=1).double().square().numpy()
    norms = np.sqrt(squares) * _ROOM
    if not (norms <= LARGEST_NORM).all():
        unfit(vectors, int(np.flatnonzero(~(norms <= LARGEST_NORM))[0]))
    return Narrowed(values, norms, np.sqrt(moved) * _ROOM)
