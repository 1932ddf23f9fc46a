"""Similarity of pairs of texts: exact Jaccard of their shingles, and edit similarity of their words."""

import numpy as np
import numpy.typing as npt

from oreline.minhash.compiled import compiled
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Sequences, Words

Floats = npt.NDArray[np.float64]

EDIT_UNITS = 20_000
"""Longer texts are compared by Jaccard similarity alone: an edit distance costs the product of two lengths."""


def jaccard(one: Sequences, other: Sequences) -> Floats:
    """Returns |A and B| / |A or B| row by row, 0 to 1; 0 for two empty sets. Rows are sets (`grams.shingle_sets`)."""
    return _jaccard(one.values, one.starts, other.values, other.starts)


def edit_similarity(one: Sequences, other: Sequences, least: float) -> Floats:
    """Returns 1 - edit distance / longer length row by row; 0 where that is below `least`, 1 for two empty rows.

    Lee et al., Deduplicating training data makes language models better (2021), section 4.2. Rows are units in order
    (`grams.units`). The cost is the longer length times the edits allowed; rows over `EDIT_UNITS` are not for it.
    """
    return _edit(one.values, one.starts, other.values, other.starts, least)


@compiled
def _jaccard(left: Words, left_starts: Ints, right: Words, right_starts: Ints) -> Floats:
    found = np.zeros(len(left_starts) - 1, np.float64)
    for row in range(len(found)):
        one, one_end = left_starts[row], left_starts[row + 1]
        other, other_end = right_starts[row], right_starts[row + 1]
        total = (one_end - one) + (other_end - other)
        common = 0
        while one < one_end and other < other_end:
            a, b = left[one], right[other]
            common += a == b
            one += a <= b
            other += b <= a
        if total:
            found[row] = common / (total - common)
    return found


@compiled
def _edit(left: Words, left_starts: Ints, right: Words, right_starts: Ints, least: float) -> Floats:
    found = np.zeros(len(left_starts) - 1, np.float64)
    for row in range(len(found)):
        one = left[left_starts[row] : left_starts[row + 1]]
        other = right[right_starts[row] : right_starts[row + 1]]
        longer = max(len(one), len(other))
        if longer == 0:
            found[row] = 1.0
            continue
        allowed = int((1.0 - least) * longer + 1e-9)
        distance = _distance(one, other, allowed)
        if distance <= allowed:
            found[row] = 1.0 - distance / longer
    return found


@compiled
def _distance(one: Words, other: Words, allowed: int) -> int:
    """Returns the Levenshtein distance, or allowed + 1 if it is larger: only a band of the table is filled in."""
    while len(one) and len(other) and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while len(one) and len(other) and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    if abs(len(one) - len(other)) > allowed:
        return allowed + 1
    far = allowed + 1
    before = np.minimum(np.arange(len(other) + 1), far)
    after = np.full(len(other) + 1, far)
    for row in range(1, len(one) + 1):
        first, last = max(1, row - allowed), min(len(other), row + allowed)
        after[first - 1] = row if first == 1 and row < far else far
        nearest = after[first - 1]
        for column in range(first, last + 1):
            above = before[column] if column < row + allowed else far
            cost = min(above, after[column - 1]) + 1
            cost = min(cost, before[column - 1] + (one[row - 1] != other[column - 1]))
            after[column] = min(cost, far)
            nearest = min(nearest, after[column])
        if nearest >= far:
            return far
        before, after = after, before
    return min(int(before[len(other)]), far)
