"""Exact Jaccard similarity of candidates, and the connected components of those that reach the threshold.

Compiled by numba at first use; the arrays are flat, so no Python object is made per candidate.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]


def _jaccard(shingles: Words, starts: Ints, one: int, other: int) -> float:
    left, left_end = starts[one], starts[one + 1]
    right, right_end = starts[other], starts[other + 1]
    total = (left_end - left) + (right_end - right)
    if total == 0:
        return 0.0
    common = 0
    while left < left_end and right < right_end:
        a, b = shingles[left], shingles[right]
        if a == b:
            common += 1
            left += 1
            right += 1
        elif a < b:
            left += 1
        else:
            right += 1
    return float(common / (total - common))


jaccard = cast("Callable[[Words, Ints, int, int], float]", njit(_jaccard))
"""Returns |A and B| / |A or B| of two documents; document i has the sorted shingles[starts[i]:starts[i + 1]]."""


def _is_near(shingles: Words, starts: Ints, one: int, other: int, threshold: float) -> bool:
    left, left_end = starts[one], starts[one + 1]
    right, right_end = starts[other], starts[other + 1]
    total = (left_end - left) + (right_end - right)
    if total == 0:
        return False
    needed = max(0, int(threshold * total / (1.0 + threshold)) - 1)
    while needed < total and needed / (total - needed) < threshold:
        needed += 1
    common = 0
    while common < needed:
        # Most candidates fall short, and the rest of the shorter one tells so early.
        if common + min(left_end - left, right_end - right) < needed:
            return False
        a, b = shingles[left], shingles[right]
        if a == b:
            common += 1
            left += 1
            right += 1
        elif a < b:
            left += 1
        else:
            right += 1
    return True


is_near = cast("Callable[[Words, Ints, int, int, float], bool]", njit(_is_near))
"""Says whether `jaccard` of two documents is `threshold` or more, without counting to the end."""


def _root(parents: Ints, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


_find = cast("Callable[[Ints, int], int]", njit(_root))


def _components(  # noqa: PLR0917 - numba takes flat arrays, by position
    shingles: Words, starts: Ints, scopes: Ints, members: Ints, group_starts: Ints, threshold: float
) -> Ints:
    parents = np.arange(len(starts) - 1)
    for group in range(len(group_starts) - 1):
        first, end = group_starts[group], group_starts[group + 1]
        for place in range(first, end - 1):
            one = members[place]
            apart = False
            for after in range(first, end):
                other = members[after]
                if _find(parents, one) == _find(parents, other):
                    continue
                apart = True
                if after < place or scopes[one] != scopes[other]:
                    continue
                if is_near(shingles, starts, one, other, threshold):
                    high, low = _find(parents, one), _find(parents, other)
                    parents[max(high, low)] = min(high, low)
            if not apart:
                break  # the whole group is one component: most groups are, after their first member
    for node in range(len(parents)):
        parents[node] = _find(parents, node)
    return parents


components = cast("Callable[[Words, Ints, Ints, Ints, Ints, float], Ints]", njit(_components))
"""Returns each document's component, named by its smallest member.

Group g holds the documents members[group_starts[g]:group_starts[g + 1]]. An edge joins two documents of one group and
one scope whose similarity is `threshold` or more. Pairs that are connected already are not compared: what comes out are
the components of all such edges, whatever the order of groups and members.
"""
