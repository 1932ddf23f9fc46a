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

from oreline.minhash.compiled import compiled, summing

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Halves = npt.NDArray[np.uint16]
"""float16 numbers as their bits, for kernels that numba compiles: it knows no float16 on a CPU."""

LARGEST_NORM = 5.6
"""Two vectors up to this length have an exact float64 dot product (5.6 squared is below 32)."""

_UNIT_ROUNDOFF = 2.0**-24
_SCALE = np.float32(2.0**112)
_NAN = np.float32("nan")


class Unfit(ValueError):
    """A vector that cannot be searched: `row` of its array; `problem` says why, after 'vector 3 of 10'."""

    def __init__(self, row: int, rows: int, problem: str) -> None:
        super().__init__(f"vector {row} of {rows} {problem}")
        self.row = row
        self.problem = problem


def _half(bits: np.uint16) -> np.float32:
    """Returns a float16 number from its bits: exponent and digits move, and the exponents' offsets differ by 112."""
    wide = np.int32(bits)
    value = np.int32(((wide & 0x7FFF) << 13) | ((wide & 0x8000) << 16)).view(np.float32)
    return value * (_NAN if (wide & 0x7C00) == 0x7C00 else _SCALE)


half = cast("Callable[[np.uint16], np.float32]", njit(_half, inline="always"))


# Any order of summing gives the same bits, so the compiler may choose one that fills the vector registers.
@summing
def dot(left: Halves, right: Halves) -> float:
    """Returns the score of two vectors, given as their bits; for kernels."""
    total = 0.0
    for place in range(len(left)):
        total += np.float64(half(left[place])) * np.float64(half(right[place]))
    return total


@compiled
def _fill(left: Halves, left_rows: Int64, right: Halves, right_rows: Int64, scores: Float64) -> None:
    for pair in range(len(left_rows)):
        scores[pair] = dot(left[left_rows[pair]], right[right_rows[pair]])


def halves(vectors: Float16) -> Halves:
    """Returns the bits of float16 vectors."""
    return np.ascontiguousarray(vectors).view(np.uint16)


def pair_scores(left: Float16, left_rows: Int64, right: Float16, right_rows: Int64) -> Float64:
    """Returns the score of each pair (left[left_rows[i]], right[right_rows[i]]).

    Compiled by numba at first use: gathering rows and multiplying them in numpy or torch took thirty times as long.
    Works outside the interpreter's lock.
    """
    scores = np.empty(len(left_rows), np.float64)
    _fill(halves(left), left_rows, halves(right), right_rows, scores)
    return scores


def all_scores(left: Float16, right: Float16) -> Float64:
    """Returns the scores of all pairs, left rows x right rows."""
    # Through torch, whose conversion from float16 is ten times numpy's.
    one, other = (torch.from_numpy(np.ascontiguousarray(each)).double() for each in (left, right))
    # Plus zero, as a sum of -0.0 alone is -0.0 in one library and 0.0 in another.
    return (one @ other.T).add_(0.0).numpy()


def largest_norm(vectors: Float16) -> float:
    """Returns the length of the longest row; raises Unfit if a row is not finite or too long for exact scores."""
    if len(vectors) == 0:
        return 0.0
    norms = torch.linalg.vector_norm(torch.from_numpy(vectors).float(), dim=1)
    longest = float(norms.max())
    if not longest <= LARGEST_NORM:
        unfit(vectors, int(torch.nonzero(~(norms <= LARGEST_NORM))[0]))
    return longest


def unfit(vectors: Float16, row: int) -> None:
    """Raises Unfit for a row of some vectors."""
    length = float(np.linalg.norm(vectors[row].astype(np.float64)))
    problem = (
        f"has length {length:.3g}; stored vectors have length 1, at most {LARGEST_NORM} here"
        if np.isfinite(length)
        else "is not finite; encode it again"
    )
    raise Unfit(row, len(vectors), problem)


def float32_error(dimension: int, left_norm: float, right_norm: float) -> float:
    """Returns a bound on |float32 dot product - score| for rows of at most these lengths, in any order of summing.

    Products of float16 numbers are exact in float32 (22 of 24 bits); summing d of them in any order errs by at most
    d·u / (1 - d·u) · sum |x_i y_i|, u = 2**-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    Doubled for the rounding of norms and thresholds, with room for products that underflow.
    """
    relative = dimension * _UNIT_ROUNDOFF / (1.0 - dimension * _UNIT_ROUNDOFF)
    return 2.0 * relative * left_norm * right_norm + 2.0**-40
