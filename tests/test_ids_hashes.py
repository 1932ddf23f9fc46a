"""Ids and hashes are the same everywhere, and tallies tell units apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.ids import (
    Tally,
    bucket_of,
    document_id,
    seeded_fraction,
    seeded_fractions,
    sha256_json,
    written_query_id,
)
from oreline.normalise import content_hash, normalise_text, query_hash, text_hash

units = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=8)


@given(units, units)
def test_tallies_add_up_like_the_lists_they_stand_for(first: list[str], second: list[str]) -> None:
    assert Tally.of(first) + Tally.of(second) == Tally.of([*second, *first])


@given(units, units)
def test_equal_tallies_hold_the_same_units(first: list[str], second: list[str]) -> None:
    assert (Tally.of(first) == Tally.of(second)) == (sorted(first) == sorted(second))


@given(units)
def test_a_tally_survives_json(each: list[str]) -> None:
    assert Tally.from_json(Tally.of(each).to_json()) == Tally.of(each)


@given(st.integers(0, 9), units, units)
def test_many_draws_at_once_are_those_one_by_one(seed: int, parts: list[str], last: list[str]) -> None:
    assert seeded_fractions(seed, parts, last) == [seeded_fraction(seed, *parts, each) for each in last]


def test_something_else_is_no_tally() -> None:
    with pytest.raises(ValueError, match="a tally is"):
        Tally.from_json({"count": 1})


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 300))
def test_every_unit_falls_into_one_of_the_buckets(unit: str, buckets: int) -> None:
    assert 0 <= bucket_of(unit, buckets) < buckets


def test_ids_are_fixed_for_all_time() -> None:
    assert document_id("d", None, "Title", "e\u0301") == document_id("d", None, "Title", "\u00e9")
    assert document_id("d", "own", None, "x") == "d/own"
    digest = "4803818f4da3b036ded67c7f61f7f9fa0ea567c4c71f506db855141e46f9c526"
    assert sha256_json({"b": 1, "a": [None, "é"]}) == digest
    assert written_query_id("d", ["w", None, ["d/1"]]) != written_query_id("d", ["w", None, ["d/2"]])


def test_queries_that_differ_in_case_width_and_space_are_equal() -> None:
    assert query_hash("\uff37hat  is\tBEAM?") == query_hash("what is beam?")
    assert query_hash("what is beam") != query_hash("what is beam?")


def test_punctuation_counts_in_code_and_not_in_text() -> None:
    assert text_hash("set -e", "text") == text_hash("Set +e", "text")
    assert text_hash("set -e", "code") != text_hash("set +e", "code")
    assert text_hash("ls  a", "code") != text_hash("ls a", "code")


def test_a_text_of_signs_alone_keeps_them() -> None:
    assert normalise_text("?!", "text") == "?!"
    assert normalise_text("?!", "text") != normalise_text("...", "text")


def test_no_title_equals_an_empty_one_and_the_title_counts() -> None:
    assert content_hash(None, "text", "text") == content_hash("", "text", "text")
    assert content_hash("a", "text", "text") != content_hash("b", "text", "text")
