"""Equal and nearly equal queries: the world after the stage, for any world before it."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.filters.equal import merge_equal
from oreline.filters.judged import JudgedQuery
from oreline.records import FateRow, Label, Pair, Query, Reject
from query_world import digests, pair, query, run_filter

from house import recipe_for, rows_of

TEXTS = (
    "Why do sharks swim",
    "why do  sharks SWIM",
    "\uff57hy do sharks swim",
    "what keeps a shark alive",
    "Straße nass",
)
LABELS: tuple[Label, ...] = ("positive", "partial", "negative")

one_query = st.builds(
    lambda text, origin, split, instruction, dataset: (text, origin, split, instruction, dataset),
    st.sampled_from(TEXTS),
    st.sampled_from(["human", "synthetic", "extractive"]),
    st.sampled_from(["train", "test", "dev"]),
    st.sampled_from([None, "find it"]),
    st.sampled_from(["d", "e"]),
)
worlds = st.tuples(
    st.lists(one_query, min_size=1, max_size=10),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc"), st.sampled_from(LABELS)), max_size=15),
)
World = tuple[list[tuple[str, str, str, str | None, str]], list[tuple[int, str, Label]]]


def judged_world(world: World) -> list[JudgedQuery]:
    rows, marks = world
    found = []
    for number, (text, origin, split, instruction, dataset) in enumerate(rows):
        row = query(f"{number}", text, split=split, instruction=instruction, dataset=dataset)
        row = replace(row, origin=origin)  # type: ignore[arg-type]  # hypothesis gives plain strings
        own = {doc: label for at, doc, label in marks if at == number}
        pairs = [Pair(row.query_id, f"{dataset}/{doc}", label, "human") for doc, label in own.items()]
        found.append(JudgedQuery(row, tuple(pairs)))
    return found


def scope(row: Query) -> tuple[str, str | None, str, str]:
    return row.dataset, row.instruction, row.split, row.query_hash


@settings(max_examples=300, deadline=None)
@given(worlds)
def test_each_query_is_kept_merged_or_leaked_once_and_positives_are_united(world: World) -> None:
    before = judged_world(world)
    result = merge_equal(before)
    told = [each.query.query_id for each in result.kept]
    told += [query_id for query_id, _ in result.merged]
    told += [each.query.query_id for each, _ in result.leaked]
    assert sorted(told) == sorted(each.query.query_id for each in before)
    assert len({scope(each.query) for each in result.kept}) == len(result.kept)
    evaluated = {(each.query.dataset, each.query.query_hash) for each in before if each.query.split != "train"}
    for each in result.kept:
        equal = [other for other in before if scope(other.query) == scope(each.query)]
        assert each.positives == tuple(sorted({doc for other in equal for doc in other.positives}))
        order = ["human", "synthetic", "extractive"]
        first = min(equal, key=lambda other: (order.index(other.query.origin), other.query.query_id))
        assert each.query == first.query
        assert {pair.query_id for pair in each.pairs} <= {each.query.query_id}
        if each.query.split == "train":
            assert (each.query.dataset, each.query.query_hash) not in evaluated
    assert {each.query.split for each, _ in result.leaked} <= {"train"}
    assert {other.query.query_id for _, other in result.leaked} <= {each.query.query_id for each in result.kept}


@settings(max_examples=50, deadline=None)
@given(worlds)
def test_merging_does_not_depend_on_order(world: World) -> None:
    before = judged_world(world)
    one, other = merge_equal(before), merge_equal(before[::-1])
    assert sorted(one.kept, key=repr) == sorted(other.kept, key=repr)
    assert sorted(one.merged) == sorted(other.merged)
    assert sorted(one.leaked, key=repr) == sorted(other.leaked, key=repr)


@settings(max_examples=5, deadline=None)
@given(worlds)
def test_the_stage_loses_no_query(world: World) -> None:
    before = judged_world(world)
    pairs = [each for judged in before for each in judged.pairs]
    with TemporaryDirectory() as folder:
        output = Path(folder)
        manifest = run_filter(recipe_for(output), [each.query for each in before], pairs)
        kept = {each.query_id for each in rows_of(output, "filter", "queries", Query)}
        fates = rows_of(output, "filter", "fates", FateRow)
        assert sorted([*kept, *(fate.unit_id for fate in fates)]) == sorted(each.query.query_id for each in before)
        assert {each.query_id for each in rows_of(output, "filter", "pairs", Pair)} <= kept
        assert {fate.into for fate in fates if fate.fate == "merged"} <= kept | {fate.unit_id for fate in fates}
        dropped = {fate.unit_id for fate in fates if fate.fate == "dropped"}
        assert {each.row_id for each in rows_of(output, "filter", "rejects", Reject)} == dropped
        assert manifest.books.balanced


def test_an_evaluation_text_is_not_trained_on_under_another_instruction() -> None:
    trained = JudgedQuery(query("a", "Why do sharks swim", instruction="find a page"), (pair("a", "one"),))
    tested = JudgedQuery(query("z", "why do sharks swim", "human", split="test"), (pair("z", "two"),))
    result = merge_equal([trained, tested])
    assert result.kept == [tested]
    assert result.leaked == [(trained, tested)]


def test_equal_texts_with_different_instructions_of_one_split_are_two_queries() -> None:
    both = [
        JudgedQuery(query("a", "why do sharks swim", instruction="find a page"), (pair("a", "one"),)),
        JudgedQuery(query("b", "why do sharks swim"), (pair("b", "two"),)),
    ]
    assert sorted(merge_equal(both).kept, key=repr) == sorted(both, key=repr)


def test_labels_that_conflict_are_settled_in_favour_of_the_positive() -> None:
    before = [
        JudgedQuery(query("a", "same words here"), (pair("a", "x", "negative"), pair("a", "y", "partial"))),
        JudgedQuery(query("b", "Same words here"), (pair("b", "x"), pair("b", "y", "negative"))),
    ]
    (kept,) = merge_equal(before).kept
    assert kept.pairs == (pair("a", "x"), pair("a", "y", "partial"))


def test_the_order_of_queries_changes_nothing(tmp_path: Path) -> None:
    queries = [query(f"{number}", text) for number, text in enumerate(TEXTS)]
    pairs = [pair(f"{number}", "one" if number % 2 else "two") for number in range(len(TEXTS))]
    one = run_filter(recipe_for(tmp_path / "one"), queries, pairs)
    other = run_filter(recipe_for(tmp_path / "other"), queries[::-1], pairs[::-1])
    assert digests(one) == digests(other)
    assert one.books.merged.count == 2
