"""The kernels that scan a chunk of first-pass scores: documents x queries, each query with its own running limits."""

from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
from numba import njit

from oreline.search.ordered import LEFT_OUT, Bits, Keys, compiled, key_down, lowered, value_of
from oreline.search.scores import Float64, Halves, Int64, dot

LANES = 64
"""Queries that are compared at once; the number of columns of a chunk is a multiple of it."""

FIRST = 64
"""Documents that a query collects at least before its limit is looked at: often, as each costs more than a look."""

NOTHING = -(1 << 40)
"""A key below all keys: nothing was missed."""

KeyOf = Callable[[Bits], np.int16 | np.int32]
"""`ordered.narrow_key` or `ordered.wide_key`: a compiled kernel is made for each."""

Places = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@compiled
def mask(bits: Keys, first: int, queries: Int64, rows: Int64) -> None:
    """Takes pairs (query, shard row) out of a chunk, whose first document is `first`."""
    for pair in range(len(rows)):
        bits[rows[pair] - first, queries[pair]] = LEFT_OUT


@compiled
def nth(keys: Keys, place: int) -> int:
    """Returns the key that would stand at a place if the keys were sorted, ascending; rearranges them (quickselect)."""
    first, last = 0, len(keys) - 1
    while first < last:
        pivot = keys[(first + last) // 2]
        left, right = first, last
        while left <= right:
            while keys[left] < pivot:
                left += 1
            while keys[right] > pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if place <= right:
            last = right
        elif place >= left:
            first = left
        else:
            break
    return int(keys[place])


@compiled
def shrink(  # noqa: PLR0917 - a kernel
    keys: Keys, places: Places, count: int, k: int, low: int, sure: int, error: float, rounding: float
) -> tuple[int, int, int]:
    """Drops what surely is not among a query's best k.

    Only documents with a key up to `sure` surely count, as the score of others may reach the list's ceiling. Returns
    how many stay, the least key that matters from now on, and the largest key that went for want of room or `NOTHING`.
    """
    narrow = keys.itemsize == 2
    room = len(keys)
    scratch = np.empty_like(keys)
    surely = 0
    for place in range(count):
        if keys[place] <= sure:
            scratch[surely] = keys[place]
            surely += 1
    if surely >= k:
        kth = value_of(nth(scratch[:surely], surely - k), narrow)
        least = kth - error - rounding * abs(kth)
        low = max(low, key_down(lowered(least, error, rounding), narrow))
    count = _keep(keys, places, count, low)
    if count <= room - room // 4:
        return count, low, NOTHING
    # Too many within the error of the k-th best: the better half stays, and the list will be scored again.
    for place in range(count):
        scratch[place] = keys[place]
    gone = nth(scratch[:count], count - room // 2)
    return _keep(keys, places, count, gone + 1), gone + 1, gone


@compiled
def _keep(keys: Keys, places: Places, count: int, low: int) -> int:
    kept = 0
    for place in range(count):
        if keys[place] >= low:
            keys[kept], places[kept] = keys[place], places[place]
            kept += 1
    return kept


@compiled
def _flag(key_of: KeyOf, bits: Keys, low: Keys, high: Keys, flags: Flags) -> None:
    """Says for each document and `LANES` queries whether a key lies within its limits.

    The loop does nothing else, and so the compiler fills vector registers.
    """
    for document in range(len(bits)):
        for start in range(0, bits.shape[1], LANES):
            some = bits[document, start : start + LANES]
            least, most = low[start : start + LANES], high[start : start + LANES]
            hits = False
            for lane in range(LANES):
                key = key_of(some[lane])
                hits |= (key >= least[lane]) & (key <= most[lane])
            flags[document, start // LANES] = hits


@compiled
def _count(key_of: KeyOf, bits: Keys, high: Keys, above: npt.NDArray[np.int16]) -> None:
    """Counts per query the documents with a key above its limit."""
    for document in range(len(bits)):
        for start in range(0, bits.shape[1], LANES):
            some, most = bits[document, start : start + LANES], high[start : start + LANES]
            counts = above[start : start + LANES]
            for lane in range(LANES):
                counts[lane] += key_of(some[lane]) > most[lane]


@compiled
def select(  # noqa: PLR0917 - a kernel
    key_of: KeyOf,
    bits: Keys,
    first: int,
    k: int,
    low: Keys,
    high: Keys,
    sure: Keys,
    errors: Float64,
    rounding: float,
    keys: Keys,
    places: Places,
    counts: Int64,
    full: Int64,
    missed: Int64,
) -> None:
    """Collects, per query, the documents of a chunk whose key lies from `low` to `high`.

    When a query has as many as `full` says, its `low` rises, and some go.
    """
    flags = np.empty((len(bits), bits.shape[1] // LANES), np.bool_)
    _flag(key_of, bits, low, high, flags)
    for document in range(len(bits)):
        for block in range(flags.shape[1]):
            if not flags[document, block]:
                continue
            for query in range(LANES * block, LANES * (block + 1)):
                key = key_of(bits[document, query])
                if key < low[query] or key > high[query]:
                    continue
                count = counts[query]
                keys[query, count], places[query, count] = key, first + document
                counts[query] = count + 1
                if count + 1 >= full[query]:
                    kept, low[query], gone = shrink(
                        keys[query], places[query], count + 1, k, low[query], sure[query], errors[query], rounding
                    )
                    counts[query] = kept
                    full[query] = min(keys.shape[1], 2 * kept + FIRST)
                    missed[query] = max(missed[query], gone)


@compiled
def settle(  # noqa: PLR0917 - a kernel
    k: int,
    low: Keys,
    sure: Keys,
    errors: Float64,
    rounding: float,
    keys: Keys,
    places: Places,
    counts: Int64,
    missed: Int64,
) -> None:
    """Drops, per query, what surely is not among its best k now that the shard has passed."""
    for query in range(len(keys)):
        if counts[query] > k:
            counts[query], low[query], gone = shrink(
                keys[query], places[query], counts[query], k, low[query], sure[query], errors[query], rounding
            )
            missed[query] = max(missed[query], gone)


@compiled
def count_layer(  # noqa: PLR0917 - a kernel
    key_of: KeyOf,
    bits: Keys,
    first: int,
    low: Keys,
    high: Keys,
    target: Int64,
    scores: Float64,
    places_of: Int64,
    order: Int64,
    queries: Halves,
    vectors: Halves,
    ahead: Int64,
) -> None:
    """Counts, for at most one target per column, the documents of a chunk ahead of it; near ones are scored exactly.

    `target` has the target of each column, -1 for none; `low` and `high` its limits by column. `scores`, `places_of`
    (its order) and `ahead` are by target, `order` by document.
    """
    # A chunk has less documents than this can count.
    above = np.zeros(bits.shape[1], np.int16)
    _count(key_of, bits, high, above)
    flags = np.empty((len(bits), bits.shape[1] // LANES), np.bool_)
    _flag(key_of, bits, low, high, flags)
    for document in range(len(bits)):
        for block in range(flags.shape[1]):
            if not flags[document, block]:
                continue
            for query in range(LANES * block, LANES * (block + 1)):
                key, mine = key_of(bits[document, query]), target[query]
                if mine >= 0 and low[query] <= key <= high[query]:
                    exact = dot(queries[query], vectors[first + document])
                    above[query] += exact > scores[mine] or (
                        exact == scores[mine] and order[first + document] < places_of[mine]
                    )
    for query in range(len(target)):
        if target[query] >= 0:
            ahead[target[query]] += above[query]


def _score(rows: Int64, places: Int64, queries: Float64, vectors: Halves, scores: Float64) -> None:
    """Fills the exact scores of pairs (query, document); all numbers are finite, and queries float64."""
    for pair in range(len(rows)):
        query, vector = queries[rows[pair]], vectors[places[pair]]
        total = 0.0
        for place in range(len(query)):
            wide = np.int32(vector[place])
            bits = np.int32(((wide & 0x7FFF) << 13) | ((wide & 0x8000) << 16)).view(np.float32)
            total += query[place] * np.float64(bits)
        scores[pair] = total * 2.0**112


score = cast(
    "Callable[[Int64, Int64, Float64, Halves, Float64], None]",
    njit(_score, nogil=True, fastmath={"reassoc", "contract"}),
)
