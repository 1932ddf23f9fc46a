"""Near queries: which selected rows go because their query's vector is nearly that of one that stays.

Exact within (dataset, instruction, split): every two queries of a scope are compared, block against block, and whether
a cosine reaches the threshold is decided in float64. Only vectors of two blocks are in memory at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from oreline.search.scores import Float16, Float64, Int64, float32_error, largest_norm, pair_scores

_TILE = 4_096


@dataclass(frozen=True)
class Near:
    """Pairs of near vectors: rows of the one block, rows of the other, and their cosines."""

    one: Int64
    other: Int64
    cosine: Float64


@dataclass(frozen=True)
class Distinct:
    """The distinct vectors of a block: the row in which each stands first, sorted, and for each row that first row."""

    firsts: Int64
    first_of: Int64


def distinct(vectors: Float16) -> Distinct:
    """Finds equal vectors (float16, n x d), bit for bit."""
    if len(vectors) == 0:
        return Distinct(np.empty(0, np.int64), np.empty(0, np.int64))
    rows = np.ascontiguousarray(vectors).view(np.dtype((np.void, vectors.itemsize * vectors.shape[1]))).ravel()
    _, firsts, classes = np.unique(rows, return_index=True, return_inverse=True)
    return Distinct(np.sort(firsts).astype(np.int64), firsts[classes].astype(np.int64))


def near_pairs(one: Float16, other: Float16 | None, threshold: float) -> Iterator[Near]:
    """Yields all pairs of rows whose cosine is `threshold` (above 0) or more; without `other` pairs a < b of one block.

    The cosine is the float64 dot product over the lengths, as float16 leaves vectors only nearly of length 1. float32
    finds what can reach the threshold (see `scores.float32_error`), float64 decides.
    """
    second = one if other is None else other
    if not len(one) or not len(second):
        return
    left_squares, right_squares = _squares(one), _squares(second)
    error = float32_error(one.shape[1], largest_norm(one), largest_norm(second))
    least = np.float32(threshold * np.sqrt(left_squares.min() * right_squares.min()) - error)
    floor = float(np.nextafter(least, np.float32(-np.inf)))
    for start in range(0, len(one), _TILE):
        rows = torch.from_numpy(one[start : start + _TILE]).float()
        for first in range(start if other is None else 0, len(second), _TILE):
            scores = rows @ torch.from_numpy(second[first : first + _TILE]).float().T
            left, right = (each.numpy() for each in torch.nonzero(scores >= floor, as_tuple=True))
            left, right = left + start, right + first
            if other is None:
                left, right = left[left < right], right[left < right]
            # The root of a square is exact, so equal vectors have cosine 1.
            lengths = np.sqrt(left_squares[left] * right_squares[right])
            cosines = pair_scores(one, left, second, right) / lengths
            near = cosines >= threshold
            if near.any():
                yield Near(left[near], right[near], np.minimum(cosines[near], 1.0))


def _squares(vectors: Float16) -> npt.NDArray[np.float64]:
    rows = np.arange(len(vectors), dtype=np.int64)
    return pair_scores(vectors, rows, vectors, rows)
