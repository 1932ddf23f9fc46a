"""The score: the float64 dot product of two stored float16 vectors, and how far a float32 one can be from it.

A float16 number is an integer times 2**-24, so a product of two is an integer times 2**-48, and so is every partial
sum of a dot product. Its size is at most |x||y| (Cauchy-Schwarz). While |x||y| <= 32 = 2**53 / 2**48, each partial sum
is an integer below 2**53 in units of 2**-48, which float64 holds without rounding. So the score is the exact dot
product, bit for bit, in whatever order or block it is summed. Stored vectors have length 1.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from numba import njit

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LARGEST_NORM = 5.6
"""Two vectors up to this length have an exact float64 dot product (5.6 squared is below 32)."""

_UNIT_ROUNDOFF = 2.0**-24


def _dot_products(left: Float32, left_rows: Int64, right: Float32, right_rows: Int64, scores: Float64) -> None:
    for pair in range(len(left_rows)):
        one, other = left[left_rows[pair]], right[right_rows[pair]]
        total = 0.0
        for place in range(len(one)):
            total += np.float64(one[place]) * np.float64(other[place])
        scores[pair] = total


# Any order of summing gives the same bits, so the compiler may choose one that fills the vector registers.
_fill = cast(
    "Callable[[Float32, Int64, Float32, Int64, Float64], None]", njit(_dot_products, fastmath={"reassoc", "contract"})
)


def pair_scores(left: Float16, left_rows: Int64, right: Float16, right_rows: Int64) -> Float64:
    """Returns the score of each pair (left[left_rows[i]], right[right_rows[i]]).

    Compiled by numba at first use: gathering rows and multiplying them in numpy or torch took thirty times as long.
    """
    scores = np.empty(len(left_rows), np.float64)
    _fill(*_wide(left, left_rows), *_wide(right, right_rows), scores)
    return scores


def _wide(vectors: Float16, rows: Int64) -> tuple[Float32, Int64]:
    """Returns float32 vectors and rows into them; only the rows that are asked for, if that is less to convert."""
    if len(rows) < len(vectors):
        vectors, rows = vectors[rows], np.arange(len(rows))
    # Through torch, whose conversion from float16 is ten times numpy's.
    return torch.from_numpy(np.ascontiguousarray(vectors)).float().numpy(), rows


def all_scores(left: Float16, right: Float16) -> Float64:
    """Returns the scores of all pairs, left rows x right rows."""
    return left.astype(np.float64) @ right.astype(np.float64).T


def largest_norm(vectors: Float16) -> float:
    """Returns the length of the longest row; raises ValueError if a row is not finite or too long for exact scores."""
    if len(vectors) == 0:
        return 0.0
    longest = float(torch.linalg.vector_norm(torch.from_numpy(vectors).float(), dim=1).max())
    if not np.isfinite(longest):
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ValueError(f"vector {row} of {len(vectors)} is not finite; encode it again")
    if longest > LARGEST_NORM:
        raise ValueError(
            f"a vector has length {longest:.3g}; stored vectors have length 1, at most {LARGEST_NORM} here"
        )
    return longest


def float32_error(dimension: int, left_norm: float, right_norm: float) -> float:
    """Returns a bound on |float32 dot product - score| for rows of at most these lengths, in any order of summing.

    Products of float16 numbers are exact in float32 (22 of 24 bits); summing d of them in any order errs by at most
    d·u / (1 - d·u) · sum |x_i y_i|, u = 2**-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    Doubled for the rounding of norms and thresholds, with room for products that underflow.
    """
    relative = dimension * _UNIT_ROUNDOFF / (1.0 - dimension * _UNIT_ROUNDOFF)
    return 2.0 * relative * left_norm * right_norm + 2.0**-40
