"""Equal texts, and runs of words that two texts share: an index of word n-grams finds them.

What is shared is measured in words, as in Touvron et al., Llama 2 (2023), appendix A.6: the words of the shorter text
that stand in n-grams which the longer one has too, over all of its words. Edits that are far apart cost few words.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oreline.decontamination.buckets import Arrays, Buckets, Numbers, buckets_of, frozen, texts_behind
from oreline.minhash.compiled import compiled
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes, Sequences, Words
from oreline.minhash.mixing import BASE, mixed

Shares = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EXACT, TEST_IN_TRAINING, TRAINING_IN_TEST = 0, 1, 2

LONG_TEXT = 3
"""A text of fewer words than so many n-grams is contained only as a whole: half of a question is no question."""

_ALL_INDEXED = 64
_WINDOW = 4
_COUNTER_BITS = (10, 26)


@dataclass(frozen=True)
class Found:
    """Matches of a block: training row, test text, kind, and share of the shorter one's words, 0 to 1."""

    rows: Ints
    texts: Ints
    kinds: Kinds
    shares: Shares


def index_whole(words: Sequences) -> Buckets:
    """Returns the test texts by all of their words."""
    return buckets_of(_whole_hashes(words.values, words.starts), np.arange(len(words), dtype=np.int32), len(words))


def whole_hashes(words: Sequences) -> Hashes:
    """Returns a hash of all words of each text."""
    return _whole_hashes(words.values, words.starts)


def index_grams(words: Sequences, ngram: int) -> Buckets:
    """Returns the test texts by their n-grams.

    Of a long text, the rarest n-gram of every 4 that follow each other is kept (winnowing; Schleimer, Wilkerson and
    Aiken 2003, with the rarest in place of the smallest): any shared run of n + 3 words or more leads to it, unless
    more than 256 test texts hold the run. Of a text with up to 64 n-grams all are kept: any shared run of n words does.
    """
    total = int(np.maximum(0, np.diff(words.starts) - ngram + 1).sum())
    least, most = _COUNTER_BITS
    bits = min(most, max(least, total.bit_length()))
    hashes, texts = _chosen(words.values, words.starts, ngram, np.zeros(1 << bits, np.uint32), 64 - bits)
    return buckets_of(hashes, texts)


def find_runs(
    training: Sequences, test: Sequences, exact: Buckets, grams: Buckets, *, ngram: int, containment: float
) -> Found:
    """Returns the test texts that training rows equal, contain or are contained in; rows ascend.

    The shorter text counts as contained if at least the share `containment` of its words stand in shared runs of
    `ngram` words or more; if it has fewer than 3 n words, all of them must, and the shorter one must be the test text.
    """
    found = _matched(
        (training.values, training.starts),
        (frozen(test.values), frozen(test.starts)),
        exact.arrays,
        grams.arrays,
        ngram,
        containment,
    )
    return Found(*found)


@compiled
def _whole(words: Words, start: int, end: int) -> np.uint64:
    state = np.uint64(end - start)
    for place in range(start, end):
        state = mixed(state * BASE + np.uint64(words[place]))
    return state


@compiled
def _whole_hashes(words: Words, starts: Ints) -> Hashes:
    found = np.empty(len(starts) - 1, np.uint64)
    for row in range(len(found)):
        found[row] = _whole(words, starts[row], starts[row + 1])
    return found


@compiled
def _grams(words: Words, start: int, end: int, ngram: int) -> Hashes:
    """Returns the 64-bit hashes of a text's n-grams, by a rolling polynomial."""
    found = np.empty(max(0, end - start - ngram + 1), np.uint64)
    state, highest = np.uint64(0), np.uint64(1)
    for _ in range(ngram):
        highest *= BASE
    for place in range(start, end):
        state = state * BASE + np.uint64(words[place])
        if place - start >= ngram:
            state -= np.uint64(words[place - ngram]) * highest
        if place - start >= ngram - 1:
            found[place - start - ngram + 1] = mixed(state)
    return found


@compiled
def _chosen(words: Words, starts: Ints, ngram: int, counts: Words, shift: int) -> tuple[Hashes, Numbers]:
    """Returns the n-grams that are indexed, with their texts; `counts` is work space for how common each is."""
    down = np.uint64(shift)
    total = 0
    for row in range(len(starts) - 1):
        found = _grams(words, starts[row], starts[row + 1], ngram)
        total += len(found)
        for gram in found:
            counts[gram >> down] += np.uint32(1)
    hashes, texts = np.empty(total, np.uint64), np.empty(total, np.int32)
    kept = 0
    for row in range(len(starts) - 1):
        found = _grams(words, starts[row], starts[row + 1], ngram)
        window = 1 if len(found) <= _ALL_INDEXED else _WINDOW
        last = -1
        for first in range(len(found) - window + 1):
            best = first
            for place in range(first + 1, first + window):
                here, there = counts[found[place] >> down], counts[found[best] >> down]
                if here < there or (here == there and found[place] < found[best]):
                    best = place
            if best != last:
                hashes[kept], texts[kept] = found[best], row
                kept += 1
                last = best
    return hashes[:kept].copy(), texts[:kept].copy()


@compiled
def _equal(one: Words, other: Words) -> bool:
    if len(one) != len(other):
        return False
    return bool((one == other).all())


@compiled
def _covered(length: int, ngram: int, shared: Flags) -> float:
    """Returns the share of a text's words that stand in n-grams which are shared."""
    covered, end = 0, 0
    for place in range(len(shared)):
        if shared[place]:
            covered += place + ngram - max(place, end)
            end = place + ngram
    return covered / length


@compiled
def _members(grams: Hashes, ordered: Hashes) -> Flags:
    """Says which n-grams are among sorted ones."""
    found = np.zeros(len(grams), np.bool_)
    for place in range(len(grams)):
        low, high = 0, len(ordered)
        while low < high:
            middle = (low + high) // 2
            if ordered[middle] < grams[place]:
                low = middle + 1
            else:
                high = middle
        found[place] = low < len(ordered) and ordered[low] == grams[place]
    return found


@compiled
def _shared(own: Hashes, ordered: Hashes, theirs: Hashes, ngram: int) -> tuple[int, float]:
    """Returns which text is the shorter one, as a kind, and the share of its words; `ordered` is `own`, sorted."""
    if len(theirs) <= len(own):
        return TEST_IN_TRAINING, _covered(len(theirs) + ngram - 1, ngram, _members(theirs, ordered))
    return TRAINING_IN_TEST, _covered(len(own) + ngram - 1, ngram, _members(own, np.sort(theirs)))


@compiled
def _matched(  # noqa: PLR0917 - numba takes flat arrays, by position
    training: tuple[Words, Ints],
    test: tuple[Words, Ints],
    exact: Arrays,
    grams: Arrays,
    ngram: int,
    containment: float,
) -> tuple[Ints, Ints, Kinds, Shares]:
    rows = [np.int64(0) for _ in range(0)]
    texts = [np.int64(0) for _ in range(0)]
    kinds = [np.int64(0) for _ in range(0)]
    shares = [0.0 for _ in range(0)]
    for row in range(len(training[1]) - 1):
        start, end = training[1][row], training[1][row + 1]
        own, own_grams = training[0][start:end], _grams(training[0], start, end, ngram)
        near = texts_behind(own_grams, *grams)
        ordered = np.sort(own_grams) if len(near) else own_grams
        equal = texts_behind(np.full(int(end > start), _whole(training[0], start, end)), *exact)
        for place in range(len(equal) + len(near)):
            text = np.int64(equal[place] if place < len(equal) else near[place - len(equal)])
            begin, stop = test[1][text], test[1][text + 1]
            same = _equal(own, test[0][begin:stop])
            if same != (place < len(equal)):
                continue
            kind, share = EXACT, 1.0
            if not same:
                kind, share = _shared(own_grams, ordered, _grams(test[0], begin, stop, ngram), ngram)
            long = min(stop - begin, end - start) >= LONG_TEXT * ngram
            if same or (long and share >= containment) or (kind == TEST_IN_TRAINING and share == 1.0):
                rows.append(np.int64(row))
                texts.append(text)
                kinds.append(np.int64(kind))
                shares.append(share)
    return np.array(rows), np.array(texts), np.array(kinds), np.array(shares)
