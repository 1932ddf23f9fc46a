"""Ceilings, fusion, near-equal texts and shortages of selection, each by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.normalise import text_hash
from oreline.recipe.settings import Ceiling, MarginCeiling, Mine, PercentCeiling, ScoreCeiling, Select
from oreline.records import Candidate, Hit, Pair, PoolEntry, Query, Scored
from oreline.selection.cases import Case, Passage, Rules
from oreline.selection.ceilings import ceiling_of
from oreline.selection.exclusions import family_of, guard_of
from oreline.selection.fusion import fuse, shared_ranks
from oreline.selection.mined import mined_rows
from oreline.selection.near_equal import NearEqual
from oreline.selection.positives import Positive
from oreline.selection.rows import Selected, select_row
from oreline.tables.schema import to_arrow

scores = st.lists(st.floats(-1, 1), min_size=1, max_size=5)


def passage(doc_id: str, text: str) -> Passage:
    return Passage(doc_id, "d", f"content of {doc_id}", text_hash(text, "text"), text=text)


@pytest.mark.parametrize(
    ("settings", "positives", "expected"),
    [
        (PercentCeiling(percent_of_positive=0.95), [0.8, 0.6], 0.57),
        (PercentCeiling(percent_of_positive=0.95), [-0.4], -0.42),
        (PercentCeiling(percent_of_positive=0.95), [0.0], 0.0),
        (MarginCeiling(margin=0.05), [0.8, 0.6], 0.55),
        (ScoreCeiling(score=0.7), [], 0.7),
        (PercentCeiling(), [], None),
        (MarginCeiling(margin=0.1), [], None),
        ("none", [0.8], None),
    ],
)
def test_a_ceiling_refers_to_the_lowest_positive(
    settings: Ceiling, positives: list[float], expected: float | None
) -> None:
    assert ceiling_of(settings, positives) == (None if expected is None else pytest.approx(expected))


@given(scores, st.floats(0, 1))
def test_a_percentage_never_puts_the_ceiling_above_a_positive(positives: list[float], share: float) -> None:
    ceiling = ceiling_of(PercentCeiling(percent_of_positive=share), positives)
    assert ceiling is not None
    assert ceiling <= min(positives)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert shared_ranks({"a": 3.0, "b": 1.0, "c": 3.0, "d": 0.0}) == {"a": 1.5, "c": 1.5, "b": 3.0, "d": 4.0}


def test_fusion_sums_reciprocal_ranks_over_scorers() -> None:
    fused = fuse({"one": {"a": 3.0, "b": 1.0}, "two": {"a": -1.0}})
    assert fused == {"a": pytest.approx(1 / 61 + 1 / 61), "b": pytest.approx(2 / 62)}, "as if the other agreed"


def test_texts_are_near_equal_by_word_5_grams_and_short_ones_only_if_equal() -> None:
    compare = NearEqual(0.5)
    long = passage("d/1", "one two three four five six seven")
    assert compare.similarity(long, passage("d/2", "One two, three four five six seven!")) == pytest.approx(1.0)
    assert compare.similarity(long, passage("d/3", "one two three four five six eight")) == pytest.approx(2 / 4)
    assert compare(long, passage("d/3", "one two three four five six eight"))
    assert not compare(passage("d/4", "set a trap"), passage("d/5", "set a trip"))
    assert compare(passage("d/4", "set a trap"), passage("d/6", "Set a trap."))
    assert not NearEqual(None)(long, long)


def test_near_equality_without_texts_is_an_error_and_no_guess() -> None:
    without = Passage("d/7", "d", "c", "other")
    with pytest.raises(ValueError, match="d/7"):
        NearEqual(0.5)(without, without.__class__("d/8", "d", "c", "another"))


def starving(spare: int) -> Selected:
    """Selects for a query whose top 10 all lie above the ceiling, from a pool with `spare` spare documents."""
    rules = Rules(Select(), Mine(top_k=10, spare=spare), (), 13)
    top = [PoolEntry(f"d/{rank}", 0.9, [Hit("dense", rank, 0.9)]) for rank in range(1, 11)]
    below = [PoolEntry(f"d/{place}", 0.3, []) for place in range(11, 11 + spare)]
    passages = {f"d/{place}": passage(f"d/{place}", f"text {place}") for place in range(40)}
    query = Query("d/q", "d", "a question", "hash")
    row = Candidate("d/q", [Scored("d/0", 1, 0.9)], [], [*top, *below])
    (candidate,) = mined_rows(to_arrow(Candidate, [row]))
    case = Case(query, (Pair("d/q", "d/0", "positive", "human"),), (), candidate, None, passages)
    return select_row(case, rules, NearEqual(0.95))


def test_a_fixed_pool_starves_and_says_spare_and_spare_documents_feed_it() -> None:
    starved, fed = starving(0).triple, starving(20).triple
    assert starved is not None
    assert fed is not None
    assert (starved.negatives, starved.short) == ([], "spare")
    assert (len(fed.negatives), fed.short) == (4, None)
    assert {negative.miner for negative in fed.negatives} == {"spare"}


def test_a_copy_of_what_a_positive_was_derived_from_is_no_negative() -> None:
    original = Passage("d/0", "d", "one content", "one text")
    copy = Passage("d/1", "d", "one content", "one text")
    derived = Passage("d/0#title", "d", "other content", "other text", parent_id="d/0", origin="generated")
    pairs = (Pair("d/q", derived.doc_id, "positive", "generated"),)
    passages = {each.doc_id: each for each in (original, copy, derived)}
    guard = guard_of(Case(Query("d/q", "d", "a question", "hash"), pairs, (), None, None, passages), ())
    assert guard.identity(original) == "derived"
    assert guard.identity(copy) == "equal_content"


def test_siblings_are_the_parent_its_chunks_and_those_of_what_was_derived_from() -> None:
    page = Passage("d/page", "d", "c0", "t0")
    first = Passage("d/page#0", "d", "c1", "t1", parent_id="d/page")
    second = Passage("d/page#1", "d", "c2", "t2", parent_id="d/page")
    title = Passage("d/page#0#title", "d", "c3", "t3", parent_id="d/page#0", origin="generated")
    other = Passage("d/other#0", "d", "c4", "t4", parent_id="d/other")
    passages = {each.doc_id: each for each in (page, first, second, title, other)}
    for positive in (first, title):
        family = family_of([Positive(positive, "seed")], passages)
        assert family.holds(page)
        assert family.holds(second)
        assert not family.holds(other)
