"""Caps of pairs per document and per text: they hold exactly, choose as asked, and lose nothing without a reject."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup_world import document
from oreline.commit import Pending, read_outcome
from oreline.filters.caps import PairCaps
from oreline.filters.decided import DECISIONS
from oreline.filters.judged import JudgedQuery
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Recipe
from oreline.records import Pair, Query, QueryOrigin, Rating, Reject
from oreline.runner import run_pipeline
from oreline.shuffle import gather
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Manifest
from query_world import INPUTS, digests, pair, query, run_filter

from gemini_server import GeminiServer
from house import finish, recipe_for, rows_of

DOCUMENTS = [
    document("a", "the paragraph that all share", "One"),
    document("b", "The paragraph that all share!", "Two"),
    document("c", "a paragraph of its own"),
]


def asked(number: int, origin: QueryOrigin = "synthetic", split: str = "train") -> Query:
    return query(f"q{number:02}", f"question {number} of this list", origin, shown=(), split=split)


def run_capped(
    folder: Path, queries: Sequence[Query], pairs: Sequence[Pair], *options: str, **caps: object
) -> Manifest:
    recipe = recipe_for(folder, filter={"caps": caps, "duplicates": "keep"})
    return run_filter(recipe, queries, pairs, *options, documents=DOCUMENTS)


def positives(folder: Path) -> Counter[str]:
    return Counter(each.doc_id for each in rows_of(folder, "filter", "pairs", Pair) if each.label == "positive")


def test_a_document_has_at_most_so_many_pairs_and_the_others_name_the_cap(tmp_path: Path) -> None:
    queries = [asked(number) for number in range(10)]
    manifest = run_capped(tmp_path, queries, [pair(f"q{n:02}", "a") for n in range(10)], per_document=3)
    assert positives(tmp_path) == {"d/a": 3}
    assert manifest.drops == {"over_document_cap": 7}
    assert manifest.counts["dropped_pairs"] == 7
    reject = rows_of(tmp_path, "filter", "rejects", Reject)[0]
    assert (reject.table, reject.by) == ("queries", "d/a")
    assert reject.detail == "d/a: it has 10 positive pairs, filter.caps.per_document is 3"


def test_equal_texts_under_other_titles_share_a_cap(tmp_path: Path) -> None:
    queries = [asked(number) for number in range(9)]
    pairs = [pair(f"q{n:02}", "abc"[n % 3]) for n in range(9)]
    manifest = run_capped(tmp_path, queries, pairs, per_paragraph=2)
    found = positives(tmp_path)
    assert found["d/a"] + found["d/b"] == 2
    assert found["d/c"] == 2
    assert manifest.drops == {"over_paragraph_cap": 5}


def test_a_query_that_keeps_another_positive_stays_and_the_lost_one_is_no_negative(tmp_path: Path) -> None:
    queries = [asked(0, "human"), asked(1)]
    manifest = run_capped(tmp_path, queries, [pair("q00", "a"), pair("q01", "a"), pair("q01", "c")], per_document=1)
    found = rows_of(tmp_path, "filter", "pairs", Pair)
    assert found == [pair("q00", "a"), pair("q01", "a", "partial"), pair("q01", "c")]
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.table, reject.reason) == ("d/q01", "pairs", "over_document_cap")
    assert manifest.counts["withdrawn_pairs"] == 1


def test_people_s_pairs_stay_before_written_ones(tmp_path: Path) -> None:
    queries = [asked(number, "human" if number > 6 else "synthetic") for number in range(10)]
    run_capped(tmp_path, queries, [pair(f"q{n:02}", "a") for n in range(10)], per_document=3)
    assert {each.query_id for each in rows_of(tmp_path, "filter", "queries", Query)} == {"d/q07", "d/q08", "d/q09"}


def test_a_test_set_is_not_made_smaller_and_does_not_count(tmp_path: Path) -> None:
    queries = [asked(number, split="test" if number < 5 else "train") for number in range(8)]
    run_capped(tmp_path, queries, [pair(f"q{n:02}", "a") for n in range(8)], per_document=2)
    assert positives(tmp_path) == {"d/a": 7}


def test_another_seed_draws_other_pairs(tmp_path: Path) -> None:
    queries, pairs = [asked(number) for number in range(30)], [pair(f"q{n:02}", "a") for n in range(30)]
    kept = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        recipe = recipe_for(folder, seed=seed, filter={"caps": {"per_document": 5}, "duplicates": "keep"})
        run_filter(recipe, queries, pairs, documents=DOCUMENTS)
        kept.append({each.query_id for each in rows_of(folder, "filter", "queries", Query)})
    assert kept[0] != kept[1]


def test_caps_depend_on_no_order_workers_or_repeated_bundles(tmp_path: Path) -> None:
    queries = [asked(number) for number in range(30)]
    pairs = [pair(f"q{n:02}", "abc"[place]) for n in range(30) for place in range(1 + n % 3)]
    one = run_capped(tmp_path / "one", queries, pairs, per_document=4, per_paragraph=7)
    other = run_capped(
        tmp_path / "other",
        queries[::-1],
        pairs[::-1],
        "--direct_runner_bundle_repeat=1",
        per_document=4,
        per_paragraph=7,
    )
    assert set(one.drops) == {"over_document_cap", "over_paragraph_cap"}
    assert digests(one) == digests(other)


def test_a_cap_counts_the_queries_of_all_datasets_however_many_ranges_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [replace(asked(number), dataset=dataset) for dataset in "de" for number in range(8)]
    queries = [replace(each, query_id=f"{each.dataset}/{each.query_id[2:]}") for each in queries]
    pairs = [Pair(each.query_id, "d/a", "positive", "seed") for each in queries]
    one = run_capped(tmp_path / "one", queries, pairs, per_document=3)
    monkeypatch.setattr("oreline.filters.caps._RANGE_ROWS", 1)
    many = run_capped(tmp_path / "many", queries, pairs, per_document=3)
    assert positives(tmp_path / "many") == {"d/a": 3}
    assert digests(one) == digests(many)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from("abc"), max_size=3), max_size=15),
    st.one_of(st.none(), st.integers(1, 5)),
    st.one_of(st.none(), st.integers(1, 5)),
    st.integers(1, 15),
)
def test_caps_hold_exactly_and_no_pair_is_lost(
    drawn: list[set[str]], per_document: int | None, per_paragraph: int | None, size: int
) -> None:
    queries = [
        JudgedQuery(asked(number), tuple(pair(f"q{number:02}", doc) for doc in sorted(docs)))
        for number, docs in enumerate(drawn)
    ]
    with TemporaryDirectory() as folder:
        recipe = recipe_for(
            Path(folder), filter={"caps": {"per_document": per_document, "per_paragraph": per_paragraph}}
        )
        finish(recipe, "ingest", {"documents": DOCUMENTS, "queries": [], "pairs": []})
        caps = PairCaps(Job(recipe.output, "filter", recipe, INPUTS))
        blocks = [queries[start : start + size] for start in range(0, len(queries), size)]
        references = [reference for block in blocks for _, reference in caps.prepare(block)]
        decided = [reference for _, reference in caps.decide((0, references))] if references else []
        decisions = gather(decided).get(DECISIONS)
        writer = StageWriter(caps.job)
        kept = [each for block in blocks for each in caps.apply(writer, block, decisions).kept]
        report = writer.close()
    before = Counter(doc for docs in drawn for doc in docs)
    after = Counter(doc.removeprefix("d/") for each in kept for doc in each.positives)
    expected = {doc: min(count, per_document or count) for doc, count in before.items()}
    if per_paragraph is None:
        assert after == expected
    else:
        assert after["a"] + after["b"] == min(expected.get("a", 0) + expected.get("b", 0), per_paragraph)
        assert after["c"] == min(expected.get("c", 0), per_paragraph)
    pairs = sum(len(each.pairs) for each in kept) + report.counts.get("dropped_pairs", 0)
    assert pairs == sum(before.values())
    assert report.books.dropped.count + len(kept) == len(queries)


def test_the_best_rated_pairs_stay_if_the_recipe_says_so(tmp_path: Path) -> None:
    grades = [2, 3, 2, None, 3, 2]
    ratings = [None if grade is None else Rating(grade, None, "model", "key") for grade in grades]
    queries = [replace(asked(number), rating=rating) for number, rating in enumerate(ratings)]
    recipe = recipe_for(tmp_path, filter={"caps": {"per_document": 3, "choose": "rating"}, "duplicates": "keep"})
    run_filter(recipe, queries, [pair(f"q{n:02}", "a") for n in range(6)], documents=DOCUMENTS)
    kept = [each.rating for each in rows_of(tmp_path, "filter", "queries", Query)]
    assert sorted(rating.grade for rating in kept if rating is not None) == [2, 3, 3]


def rated_recipe(folder: Path, server: GeminiServer, choose: str) -> Recipe:
    llm = {"model": "gemini-3.5-flash-lite", "base_url": server.url, "server": "local", "budget_tokens": 10_000_000}
    caps = {"per_document": 2, "choose": choose}
    return recipe_for(folder, llm=llm, filter={"caps": caps, "duplicates": "keep"})


@pytest.mark.parametrize(("choose", "requests"), [("rating", 6), ("random", 2)])
def test_caps_that_choose_by_rating_wait_for_the_rater_and_others_save_its_calls(
    tmp_path: Path, gemini_server: GeminiServer, choose: str, requests: int
) -> None:
    queries = [asked(number) for number in range(6)]
    recipe = rated_recipe(tmp_path, gemini_server, choose)
    manifest = run_filter(recipe, queries, [pair(f"q{n:02}", "a") for n in range(6)], documents=DOCUMENTS)
    assert manifest.drops == {"over_document_cap": 4}
    assert manifest.counts["requests"] == requests
    found = rows_of(tmp_path, "filter", "queries", Query)
    assert [each.rating is not None for each in found] == [True, True]
    again = run_filter(
        recipe,
        queries,
        [pair(f"q{n:02}", "a") for n in range(6)],
        "--direct_runner_bundle_repeat=1",
        documents=DOCUMENTS,
    )
    assert digests(again) == digests(manifest)


def test_a_rater_that_stops_leaves_no_manifest_and_goes_on_later(tmp_path: Path, gemini_server: GeminiServer) -> None:
    recipe = rated_recipe(tmp_path, gemini_server, "rating")
    gemini_server.fault("quota", "question 3")
    queries = [asked(number) for number in range(6)]
    finish(
        recipe,
        "ingest",
        {"documents": DOCUMENTS, "queries": queries, "pairs": [pair(f"q{n:02}", "a") for n in range(6)]},
    )
    run_pipeline(Job(recipe.output, "filter", recipe, INPUTS), BY_NAME["filter"], Pending("test", {}, ""))
    outcome = read_outcome(recipe.output, "filter")
    assert outcome is not None
    assert outcome.stopped == "quota"
    assert not (tmp_path / "filter" / "manifest.json").exists()
