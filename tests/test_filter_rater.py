"""The rater, asked over HTTP through the real client: what is rated, kept, dropped, and that the books balance."""

from pathlib import Path

import pytest

from oreline.recipe.settings import Recipe
from oreline.records import Pair, Query, Reject
from query_world import digests, pair, query, run_filter

from gemini_server import GeminiServer
from house import recipe_for, rows_of

QUERIES = [
    query("a", "why do sharks keep moving", instruction="Given a question about fish, find a page."),
    query("b", "gills and oxygen"),
    query("h", "can a shark sleep", "human"),
]
PAIRS = [pair("a", "one"), pair("b", "one"), pair("b", "two", "negative"), pair("h", "one")]


def rated_recipe(output: Path, server: GeminiServer, **filter_keys: object) -> Recipe:
    llm = {"model": "gemini-3.5-flash-lite", "base_url": server.url, "server": "local", "budget_tokens": 10_000_000}
    return recipe_for(output, llm=llm, filter=filter_keys)


def test_written_queries_are_rated_and_the_rating_says_by_whom(tmp_path: Path, gemini_server: GeminiServer) -> None:
    manifest = run_filter(rated_recipe(tmp_path, gemini_server), QUERIES, PAIRS)
    found = {each.query_id: each for each in rows_of(tmp_path, "filter", "queries", Query)}
    assert sorted(found) == ["d/a", "d/b", "d/h"]
    rating = found["d/a"].rating
    assert rating is not None
    assert (rating.grade, rating.model) == (2, "gemini-3.5-flash-lite")
    assert rating.request_key is not None
    assert found["d/h"].rating is None
    assert rows_of(tmp_path, "filter", "pairs", Pair) == sorted(PAIRS, key=repr)
    assert (manifest.counts["requests"], manifest.counts["answers"]) == (2, 2)
    prompts = sorted(gemini_server.answered_prompts)
    assert any("Given a question about fish" in prompt and "why do sharks" in prompt for prompt in prompts)
    assert any("Given a search query, find documents" in prompt and "gills" in prompt for prompt in prompts)


def test_a_low_rate_drops_the_query_with_the_grade(tmp_path: Path, gemini_server: GeminiServer) -> None:
    manifest = run_filter(rated_recipe(tmp_path, gemini_server, rater={"keep_from": 3}), QUERIES, PAIRS)
    assert manifest.counts["dropped_pairs"] == 3
    assert [each.query_id for each in rows_of(tmp_path, "filter", "queries", Query)] == ["d/h"]
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("h", "one")]
    rejects = rows_of(tmp_path, "filter", "rejects", Reject)
    assert [each.reason for each in rejects] == ["low_rate", "low_rate"]
    assert all(each.detail.startswith("graded 2, filter.rater.keep_from is 3") for each in rejects)


def test_human_queries_are_rated_if_the_recipe_says_so(tmp_path: Path, gemini_server: GeminiServer) -> None:
    manifest = run_filter(rated_recipe(tmp_path, gemini_server, rater={"human": True}), QUERIES, PAIRS)
    assert manifest.counts["requests"] == 3


@pytest.mark.parametrize(("fault", "reason"), [("safety", "blocked"), ("off_schema", "unparsable")])
def test_a_query_without_a_usable_rating_is_dropped(
    fault: str, reason: str, tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.fault(fault, "gills")  # type: ignore[arg-type]  # parametrize gives plain strings
    manifest = run_filter(rated_recipe(tmp_path, gemini_server), QUERIES, PAIRS)
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.reason) == ("d/b", reason)
    assert manifest.counts["requests"] == manifest.counts["answers"] + manifest.counts["answer_rejects"]
    assert manifest.books.kept.count == 2


def test_no_model_is_asked_where_the_rater_is_off(tmp_path: Path, gemini_server: GeminiServer) -> None:
    manifest = run_filter(rated_recipe(tmp_path, gemini_server, rater=None), QUERIES, PAIRS)
    assert manifest.books.kept.count == 3
    assert sum(gemini_server.calls.values()) == 0


def test_only_queries_of_people_ask_nothing_and_are_kept(tmp_path: Path, gemini_server: GeminiServer) -> None:
    manifest = run_filter(rated_recipe(tmp_path, gemini_server), QUERIES[2:], PAIRS[3:])
    assert manifest.books.kept.count == 1
    assert sum(gemini_server.calls.values()) == 0


def test_repeated_bundles_pay_and_write_nothing_twice(tmp_path: Path, gemini_server: GeminiServer) -> None:
    one = run_filter(rated_recipe(tmp_path / "one", gemini_server), QUERIES, PAIRS)
    repeat = "--direct_runner_bundle_repeat=1"
    other = run_filter(rated_recipe(tmp_path / "two", gemini_server), QUERIES, PAIRS, repeat)
    assert digests(one) == digests(other)
    assert set(gemini_server.calls.values()) == {2}
