"""The kernels that scan a chunk of first-pass scores: documents x queries, each query with its own running limits."""

from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
from numba import njit

from oreline.minhash.compiled import compiled, summing
from oreline.search.ordered import LEFT_OUT, Keys, key_down, key_of, lowered, value_of
from oreline.search.scores import Float64, Halves, Int64, dot

LANES = 64
"""Queries that are compared at once; the number of columns of a chunk is a multiple of it."""

FIRST = 64
"""Documents that a query collects at least before its limit is looked at: often, as each costs more than a look."""

NOTHING = -(1 << 40)
"""A key below all keys: nothing was missed."""

Places = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@compiled
def mask(bits: Keys, first: int, queries: Int64, rows: Int64) -> None:
    """Takes pairs (query, shard row) out of a chunk, whose first document is `first`."""
    for pair in range(len(rows)):
        bits[rows[pair] - first, queries[pair]] = LEFT_OUT


@compiled
def nth(keys: Keys, place: int) -> int:
    """Returns the key that would stand at a place if the keys were sorted, ascending.

    Halves the range that it lies in: to count keys fills vector registers, and quickselect took four times as long.
    """
    wanted = len(keys) - place
    least, most = int(keys[0]), int(keys[0])
    for key in keys:
        least, most = min(least, int(key)), max(most, int(key))
    # At least as many keys as wanted reach `least`, and fewer reach `beyond`.
    beyond = most + 1
    while beyond - least > 1:
        middle = (least + beyond) // 2
        reached = 0
        for key in keys:
            reached += key >= middle
        if reached < wanted:
            beyond = middle
        else:
            least = middle
            if reached == wanted:
                break
    found = most
    for key in keys:
        found = min(found, int(key) if key >= least else most)
    return found


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
    scratch = np.empty(count, keys.dtype)
    surely = 0
    for place in range(count):
        scratch[surely] = keys[place]
        surely += keys[place] <= sure
    if surely >= k:
        kth = value_of(nth(scratch[:surely], surely - k), narrow)
        least = kth - error - rounding * abs(kth)
        low = max(low, key_down(lowered(least, error, rounding), narrow))
    count = _keep(keys, places, count, low)
    if count <= room - room // 4:
        return count, low, NOTHING
    # Too many within the error of the k-th best: the better half stays, and the list will be scored again.
    gone = nth(keys[:count], count - room // 2)
    return _keep(keys, places, count, gone + 1), gone + 1, gone


@compiled
def _keep(keys: Keys, places: Places, count: int, low: int) -> int:
    kept = 0
    for place in range(count):
        key, document = keys[place], places[place]
        # Written in any case, which costs less than a guess that fails.
        keys[kept], places[kept] = key, document
        kept += key >= low
    return kept


@compiled
def _flag(bits: Keys, low: Keys, high: Keys, flags: Flags) -> None:
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
def _count(bits: Keys, high: Keys, above: npt.NDArray[np.int16]) -> None:
    """Counts per query the documents with a key above its limit."""
    for document in range(len(bits)):
        for start in range(0, bits.shape[1], LANES):
            some, most = bits[document, start : start + LANES], high[start : start + LANES]
            counts = above[start : start + LANES]
            for lane in range(LANES):
                counts[lane] += key_of(some[lane]) > most[lane]


@compiled
def select(  # noqa: PLR0917 - a kernel
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
    _flag(bits, low, high, flags)
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
    _count(bits, high, above)
    flags = np.empty((len(bits), bits.shape[1] // LANES), np.bool_)
    _flag(bits, low, high, flags)
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


def _wide(bits: np.uint16) -> np.float64:
    """Returns a finite float16 number times 2**-112: its bits in those of a float32, whose exponents have an offset."""
    wide = np.int32(bits)
    return np.float64(np.int32(((wide & 0x7FFF) << 13) | ((wide & 0x8000) << 16)).view(np.float32))


_widened = cast("Callable[[np.uint16], np.float64]", njit(_wide, inline="always"))


@summing
def score(rows: Int64, places: Int64, queries: Float64, vectors: Halves, scores: Float64) -> None:
    """Fills the exact scores of pairs (query, document), queries ascending; all are finite, and queries float64.

    Four documents of a query take turns, so that the memory fetches them at the same time.
    """
    pair, count = 0, len(rows)
    while pair < count:
        query = queries[rows[pair]]
        if pair + 3 < count and rows[pair + 3] == rows[pair]:
            one, two = vectors[places[pair]], vectors[places[pair + 1]]
            three, four = vectors[places[pair + 2]], vectors[places[pair + 3]]
            first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
            for place in range(len(query)):
                value = query[place]
                first += value * _widened(one[place])
                second += value * _widened(two[place])
                third += value * _widened(three[place])
                fourth += value * _widened(four[place])
            scores[pair], scores[pair + 1] = first * 2.0**112, second * 2.0**112
            scores[pair + 2], scores[pair + 3] = third * 2.0**112, fourth * 2.0**112
            pair += 4
        else:
            vector, total = vectors[places[pair]], 0.0
            for place in range(len(query)):
                total += query[place] * _widened(vector[place])
            scores[pair] = total * 2.0**112
            pair += 1
