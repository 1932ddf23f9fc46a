"""Batches: a function of the set of texts, within the token budget."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.encoders.batches import LARGEST_SPREAD, WIDEST, token_batches


@given(st.lists(st.integers(1, 600), max_size=80), st.integers(1, 4_096), st.randoms())
def test_batches_keep_the_budget_and_do_not_depend_on_the_order(
    tokens: list[int], budget: int, shuffle: random.Random
) -> None:
    texts = [(length, f"key-{place}") for place, length in enumerate(tokens)]
    batches = cut(texts, budget)
    assert sorted(text for batch in batches for text in batch) == sorted(texts)
    for batch in batches:
        longest = max(length for length, _ in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
        assert longest <= LARGEST_SPREAD * max(16, min(length for length, _ in batch))
    shuffled = texts.copy()
    shuffle.shuffle(shuffled)
    assert cut(shuffled, budget) == batches


@given(st.lists(st.integers(1, 600), max_size=80), st.integers(1, 4_096))
def test_without_padding_a_batch_is_filled_to_the_budget(tokens: list[int], budget: int) -> None:
    keys = [f"key-{place}" for place in range(len(tokens))]
    batches = list(token_batches(tokens, keys, budget, padded=False))
    assert sorted(place for batch in batches for place in batch) == list(range(len(tokens)))
    sums = [sum(tokens[place] for place in batch) for batch in batches]
    for total, batch, following in zip(sums, batches, [*batches[1:], None], strict=False):
        assert len(batch) == 1 or (total <= budget and len(batch) * tokens[batch[-1]] <= WIDEST * budget)
        if following is not None:
            longer = tokens[following[0]]
            assert total + longer > budget or (len(batch) + 1) * longer > WIDEST * budget


@pytest.mark.parametrize("padded", [True, False])
def test_texts_without_tokens_are_a_batch_of_their_own(*, padded: bool) -> None:
    assert list(token_batches([3, 0, 1, 0], ["a", "d", "c", "b"], 100, padded=padded)) == [[3, 1], [2, 0]]


def cut(texts: list[tuple[int, str]], budget: int) -> list[list[tuple[int, str]]]:
    lengths, keys = [length for length, _ in texts], [key for _, key in texts]
    return [[texts[place] for place in batch] for batch in token_batches(lengths, keys, budget)]
