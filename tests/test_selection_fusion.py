"""Reciprocal rank fusion over scorers that share ranks and do not all score every document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.selection.fusion import K, fuse, shared_ranks

VALUES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 4).map(float), max_size=8)
SCORERS = st.dictionaries(st.sampled_from(["listwise", "graded", "likelihood", "cross_encoder"]), VALUES, max_size=4)


@given(VALUES)
def test_ranks_sum_to_what_untied_ranks_would_and_ties_share_them(values: dict[str, float]) -> None:
    ranks = shared_ranks(values)
    assert sum(ranks.values()) == len(values) * (len(values) + 1) / 2
    for one, value in values.items():
        for other, beside in values.items():
            assert (value > beside) == (ranks[one] < ranks[other])
            assert (value == beside) == (ranks[one] == ranks[other])


@given(SCORERS)
def test_where_all_score_all_it_is_the_sum_of_reciprocal_ranks(scorers: dict[str, dict[str, float]]) -> None:
    documents = {doc_id for values in scorers.values() for doc_id in values}
    full = {name: {doc_id: values.get(doc_id, -1.0) for doc_id in documents} for name, values in scorers.items()}
    ranks = {name: shared_ranks(values) for name, values in full.items()}
    fused = fuse(full)
    assert fused == {doc_id: pytest.approx(sum(1 / (K + ranks[name][doc_id]) for name in full)) for doc_id in documents}


@given(SCORERS)
def test_every_scored_document_has_a_score_within_what_ranks_can_give(scorers: dict[str, dict[str, float]]) -> None:
    fused = fuse(scorers)
    scoring = sum(1 for values in scorers.values() if values)
    assert set(fused) == {doc_id for values in scorers.values() for doc_id in values}
    assert all(scoring / (K + 8) - 1e-12 <= score <= scoring / (K + 1) + 1e-12 for score in fused.values())


@given(SCORERS, st.sampled_from("abcdefgh"))
def test_a_document_that_no_scorer_puts_below_another_never_scores_less(
    scorers: dict[str, dict[str, float]], best: str
) -> None:
    raised = {name: {**values, best: 9.0} for name, values in scorers.items() if values}
    fused = fuse(raised)
    assert all(fused[best] >= score - 1e-12 for score in fused.values())


def test_a_failed_call_does_not_make_a_document_the_lowest_ranked() -> None:
    listwise = {"good": 3.0, "fair": 2.0, "poor": 0.0}
    graded = {"good": 3.0, "poor": 0.0}  # the answer about "fair" was blocked
    fused = fuse({"listwise": listwise, "graded": graded})
    assert sorted(fused, key=fused.__getitem__) == ["poor", "fair", "good"]


@given(SCORERS)
def test_a_scorer_without_values_changes_nothing(scorers: dict[str, dict[str, float]]) -> None:
    assert fuse({**scorers, "silent": {}}) == fuse(scorers)
