"""Similarities equal those of Python's sets and of the whole table of an edit distance."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.minhash.forms import forms_of
from oreline.minhash.grams import Sequences, units
from oreline.minhash.similarity import edit_similarity, jaccard

sets = st.sets(st.integers(0, 12))
words = st.lists(st.integers(0, 3), max_size=12)


def rows(*values: list[int]) -> Sequences:
    starts = np.concatenate([[0], np.cumsum([len(each) for each in values])]).astype(np.int64)
    return Sequences(np.array([value for each in values for value in each], np.uint32), starts)


def distance(one: list[int], other: list[int]) -> int:
    before = list(range(len(other) + 1))
    for row, mine in enumerate(one, 1):
        after = [row]
        for column, theirs in enumerate(other, 1):
            after.append(min(before[column] + 1, after[-1] + 1, before[column - 1] + (mine != theirs)))
        before = after
    return before[-1]


@settings(max_examples=300, deadline=None)
@given(sets, sets, sets, sets)
def test_jaccard_is_that_of_sets(one: set[int], other: set[int], two: set[int], another: set[int]) -> None:
    found = jaccard(rows(sorted(one), sorted(two)), rows(sorted(other), sorted(another)))
    for place, (left, right) in enumerate([(one, other), (two, another)]):
        assert found[place] == (len(left & right) / len(left | right) if left | right else 0.0)


@settings(max_examples=500, deadline=None)
@given(words, words, st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]))
def test_edit_similarity_is_that_of_the_whole_table_or_nothing(one: list[int], other: list[int], least: float) -> None:
    (found,) = edit_similarity(rows(one), rows(other), least)
    longer = max(len(one), len(other))
    exact = 1 - distance(one, other) / longer if longer else 1.0
    assert found == (pytest.approx(exact) if exact >= least - 1e-9 else 0.0)


def test_one_edited_word_of_ten_is_nine_tenths_by_edits() -> None:
    texts = ["a b c d e f g h i j", "a b c d X f g h i j"]
    one, other = (units(forms_of(pa.array([text]), "text"), "word") for text in texts)
    assert edit_similarity(one, other, 0.8).tolist() == [pytest.approx(0.9)]
