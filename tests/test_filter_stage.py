"""The stage filter without a model: order of its parts, books, rejects."""

from dataclasses import replace
from pathlib import Path

import pytest

from oreline.commit import Pending, read_outcome
from oreline.filters import steps
from oreline.ids import Tally
from oreline.job import Job
from oreline.records import FateRow, Pair, Query, Reject
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME
from query_world import DOCUMENTS, INPUTS, digests, pair, query, run_filter

from house import finish, recipe_for, rows_of


def test_a_rule_hit_is_dropped_with_its_pairs(tmp_path: Path) -> None:
    queries = [query("good", "why do sharks keep moving"), query("bad", "sharks")]
    manifest = run_filter(recipe_for(tmp_path), queries, [pair("good", "one"), pair("bad", "one")])
    assert rows_of(tmp_path, "filter", "queries", Query) == [queries[0]]
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("good", "one")]
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert reject == Reject("d/bad", "queries", "too_few_words", "1 word, filter.min_words is 2", "words", "sharks")
    assert manifest.counts["dropped_pairs"] == 1


def test_rules_read_the_documents_of_the_lineage(tmp_path: Path) -> None:
    copied = "Sharks never stop swimming because water has to flow"
    queries = [query("a", copied), query("b", copied + " too", shown=("two",)), query("c", "любимая еда акул")]
    run_filter(recipe_for(tmp_path), queries, [pair("a", "one"), pair("b", "two"), pair("c", "one")])
    rejects = {each.row_id: each for each in rows_of(tmp_path, "filter", "rejects", Reject)}
    reasons = {"d/a": "verbatim_copy", "d/b": "other_language", "d/c": "other_language"}
    assert {key: each.reason for key, each in rejects.items()} == reasons
    assert rejects["d/b"].detail.startswith("the query is en (probability ")
    assert rejects["d/b"].detail.endswith("but d/two is de")
    assert rejects["d/a"].detail == "all 9 words stand in this order in d/one"
    assert "100% of the query's letters are CYRILLIC" in rejects["d/c"].detail


def test_a_query_from_no_document_is_compared_with_those_written_along_with_it(tmp_path: Path) -> None:
    copied = "Sharks never stop swimming because water has to flow"
    queries = [query("a", copied, shown=()), query("b", "why do sharks never stop swimming", shown=())]
    manifest = run_filter(recipe_for(tmp_path), queries, [pair("a", "one"), pair("b", "one")])
    assert manifest.drops == {"verbatim_copy": 1}
    assert [each.query_id for each in rows_of(tmp_path, "filter", "queries", Query)] == ["d/b"]


def test_rules_find_the_same_however_few_documents_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = "Sharks never stop swimming because water has to flow"
    queries = [
        query("a", copied),
        query("b", copied, shown=("two",)),
        query("c", "why sharks swim", shown=("one", "two")),
    ]
    long = [replace(each, tokens=1_000) for each in DOCUMENTS]
    one = run_filter(recipe_for(tmp_path / "one"), queries, documents=long)
    monkeypatch.setattr(steps, "_SHOWN_TOKENS", 1)
    other = run_filter(recipe_for(tmp_path / "other"), queries, documents=long)
    assert one.drops == {"verbatim_copy": 1, "other_language": 1}
    assert digests(one) == digests(other)


def test_rules_come_before_merging_so_that_a_dropped_query_gives_no_positive(tmp_path: Path) -> None:
    queries = [query("a", "sharks", "human"), query("b", "Sharks")]
    run_filter(recipe_for(tmp_path), queries, [pair("a", "one"), pair("b", "two")])
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("a", "one")]


def test_equal_queries_are_merged_into_the_human_one(tmp_path: Path) -> None:
    queries = [query("a", "why  do SHARKS swim"), query("z", "Why do sharks swim", "human")]
    run_filter(recipe_for(tmp_path), queries, [pair("a", "one"), pair("z", "two")])
    assert rows_of(tmp_path, "filter", "queries", Query) == [queries[1]]
    assert rows_of(tmp_path, "filter", "fates", FateRow) == [FateRow("d/a", "merged", "d/z")]
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("z", "one"), pair("z", "two")]


def test_the_train_query_that_equals_a_test_query_is_dropped(tmp_path: Path) -> None:
    queries = [query("a", "why do sharks swim", "human"), query("b", "Why do sharks swim", "human", split="test")]
    run_filter(recipe_for(tmp_path), queries, [pair("a", "one"), pair("b", "two")])
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.by) == ("d/a", "in_other_split", "d/b")
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("b", "two")]


def test_near_duplicates_are_looked_for_after_merging(tmp_path: Path) -> None:
    """Only the union of the equal queries' positives is equal to the third one's."""
    queries = [query("a", "why sharks swim"), query("b", "Why sharks swim"), query("c", "sharks swim why")]
    pairs = [pair("a", "one"), pair("b", "two"), pair("c", "one"), pair("c", "two")]
    run_filter(recipe_for(tmp_path), queries, pairs)
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.by) == ("d/c", "duplicate_query", "d/a")
    assert reject.detail == "Jaccard similarity 1.000 of word 1-grams with d/a; cluster of 2 queries kept as d/a"


def test_near_duplicates_stay_if_the_recipe_says_so(tmp_path: Path) -> None:
    queries = [query("a", "why sharks swim"), query("b", "sharks swim why")]
    recipe = recipe_for(tmp_path, filter={"duplicates": "keep"})
    assert run_filter(recipe, queries, [pair("a", "one"), pair("b", "one")]).books.kept.count == 2


def test_no_query_is_no_problem(tmp_path: Path) -> None:
    assert run_filter(recipe_for(tmp_path), []).books.units == Tally()


def world() -> tuple[list[Query], list[Pair]]:
    texts = [f"where does shark number {number} sleep" for number in range(60)]
    queries: list[Query] = []
    pairs: list[Pair] = []
    for number, text in enumerate(texts):
        for variant, form in enumerate((text, text.upper(), f"sleep {text[:-6]}", f"x{number}", text)):
            own_id = f"{number:02}-{variant}"
            split = "test" if variant == 4 and number % 5 == 0 else "train"
            queries.append(query(own_id, form, "human" if variant == number % 7 else "synthetic", split=split))
            pairs.extend(pair(own_id, doc) for doc in (("one",) if variant < 2 else ("one", "two")))
    return queries, pairs


def test_results_do_not_depend_on_order_workers_or_repeated_bundles(tmp_path: Path) -> None:
    queries, pairs = world()
    one = run_filter(recipe_for(tmp_path / "one"), queries, pairs)
    repeated = run_filter(recipe_for(tmp_path / "repeated"), queries, pairs, "--direct_runner_bundle_repeat=1")
    turned = run_filter(recipe_for(tmp_path / "turned"), queries[::-1], pairs[::-1])
    two = run_filter(recipe_for(tmp_path / "two", beam={"workers": 2}), queries, pairs)
    assert min(one.drops[reason] for reason in ("too_few_words", "in_other_split", "duplicate_query")) > 0
    assert one.books.merged.count > 0
    assert digests(one) == digests(repeated) == digests(turned) == digests(two)
    assert one.books == repeated.books == turned.books == two.books


def test_a_requested_stop_leaves_no_manifest(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish(recipe, "ingest", {"documents": DOCUMENTS, "queries": [query("a", "why swim")], "pairs": []})
    (tmp_path / "_progress").mkdir()
    (tmp_path / "_progress" / "stop").touch()
    run_pipeline(Job(str(tmp_path), "filter", recipe, INPUTS), BY_NAME["filter"], Pending("", {}, ""))
    outcome = read_outcome(str(tmp_path), "filter")
    assert outcome is not None
    assert outcome.stopped == "interrupted"
    assert not (tmp_path / "filter" / "manifest.json").exists()
