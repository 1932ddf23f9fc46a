"""Shingles and signatures: what two documents are compared by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.minhash.shingles import shingles, tokens
from oreline.minhash.signatures import band_buckets, signatures, string_buckets


def test_words_of_text_are_those_of_its_normal_form() -> None:
    assert tokens("The Title", "Don't  STOP,\tnow!", "text") == ["the", "title", "don", "t", "stop", "now"]


def test_code_keeps_case_and_punctuation() -> None:
    assert tokens(None, "Set -e;\n  echo $A", "code") == ["Set", "-e;", "echo", "$A"]


def test_scripts_without_spaces_give_a_token_per_character() -> None:
    assert tokens(None, "東京は大きいcity", "text") == ["東", "京", "は", "大", "き", "い", "city"]
    assert len(tokens(None, "ภาษาไทย", "text")) > 3


def test_a_text_shorter_than_a_shingle_has_none() -> None:
    assert len(shingles(None, "one two three four", "text", 5)) == 0
    assert len(shingles(None, "one two three four five", "text", 5)) == 1


def test_shingles_are_sorted_distinct_and_know_the_order_of_words() -> None:
    forward = shingles(None, "a b c d e f a b c d e", "text", 5)
    assert forward.tolist() == sorted(set(forward.tolist()))
    assert len(forward) == 6
    assert not set(forward) & set(shingles(None, "k f e d c b a", "text", 5))


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30), st.integers(1, 6))
def test_there_are_as_many_shingles_as_distinct_word_ngrams(words: list[str], ngram: int) -> None:
    distinct = {tuple(words[place : place + ngram]) for place in range(len(words) - ngram + 1)}
    assert len(shingles(None, " ".join(words), "text", ngram)) == len(distinct)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_signatures_agree_as_often_as_the_sets_overlap(share: float) -> None:
    numbers = np.arange(4_000, dtype=np.uint32) * np.uint32(2_654_435)
    common = round(2 * share / (1 + share) * 2_000)
    one, other = numbers[:2_000], np.concatenate([numbers[:common], numbers[2_000 : 4_000 - common]])
    found = signatures([np.sort(one), np.sort(other)], 1024)
    assert abs(float(np.mean(found[0] == found[1])) - share) < 0.06


def test_documents_share_a_bucket_if_scope_and_all_rows_of_the_band_agree() -> None:
    values = np.array([[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3, 4]], np.uint32)
    buckets = band_buckets(values, string_buckets(["a", "a", "b"]), 2)
    assert buckets[0, 0] == buckets[1, 0]
    assert buckets[0, 1] != buckets[1, 1]
    assert not set(buckets[0]) & set(buckets[2])


def test_equal_values_in_two_bands_are_two_buckets() -> None:
    buckets = band_buckets(np.array([[7, 7]], np.uint32), string_buckets(["a"]), 2)
    assert buckets[0, 0] != buckets[0, 1]
