"""Gates by source: the lowest of each source's queries go, the cut is stated, and nothing depends on the layout."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_server import logprob, pieces
from oreline.filters import decided, logprobs
from oreline.filters.gates import cut_of
from oreline.ids import sha256_json
from oreline.llm import journal
from oreline.llm.requests import Answer, TokenLogprob
from oreline.recipe.settings import Recipe
from oreline.records import Lineage, Query, Reject
from query_world import INPUTS, digests, query, run_filter
from synthesize_world import docstrings

from gemini_server import GeminiServer
from house import finish, recipe_for, rows_of, run_stage

Written = tuple[str, str, float | None]
"""Own id, writer and log-probability of a query; None where the journal has no log-probabilities."""


def text_of(own_id: str) -> str:
    return f"why do sharks of kind {own_id} keep moving at night"


def written(own_id: str, writer: str, *, dataset: str = "d", model: str = "gemini-2.5-flash") -> Query:
    key = sha256_json(["answer", own_id])
    lineage = Lineage(writer, [], model=model, request_key=key, attempt=0, place=0)
    return replace(query(own_id, text_of(own_id), dataset=dataset), lineage=lineage)


def journaled(cache: Path, rows: Sequence[Written]) -> None:
    answers = []
    for own_id, _, value in rows:
        text = json.dumps({"queries": [{"query": text_of(own_id)}]})
        around = text.index(text_of(own_id))
        pieces = [
            (text[:around], -30.0),
            (text_of(own_id), value or 0.0),
            (text[around + len(text_of(own_id)) :], -30.0),
        ]
        tokens = None if value is None else [TokenLogprob(*piece) for piece in pieces]
        answers.append(Answer(sha256_json(["answer", own_id]), 0, "ok", text, logprobs=tokens))
    journal.append(str(cache), answers)


def gated_recipe(output: Path, cache: Path, **logprob: float) -> Recipe:
    llm = {"model": "gemini-2.5-flash", "logprobs": True, "budget_tokens": 10_000}
    gates = {"logprob": logprob} if logprob else {}
    settings = {"rater": None, "duplicates": "keep", "gates": gates}
    return recipe_for(output, cache=str(cache), llm=llm, filter=settings)


ROWS: list[Written] = [
    *((f"a{number}", "retrieval/fret", -number / 10) for number in range(10)),
    *((f"b{number}", "other.md", -3.0 - number / 10) for number in range(5)),
    ("c", "retrieval/fret", None),
]


def run(output: Path, *options: str, rows: Sequence[Written] = ROWS, **logprob: float) -> tuple[Recipe, list[str]]:
    cache = output / "cache"
    journaled(cache, rows)
    recipe = gated_recipe(output, cache, **logprob)
    run_filter(recipe, [written(own_id, writer) for own_id, writer, _ in rows], (), *options)
    return recipe, [each.query_id[2:] for each in rows_of(output, "filter", "queries", Query)]


def test_the_lowest_of_each_writer_go_and_the_cut_is_stated(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    journaled(cache, ROWS)
    manifest = run_filter(gated_recipe(tmp_path, cache, below=0.3), [written(*row[:2]) for row in ROWS])
    rejects = {each.row_id: each for each in rows_of(tmp_path, "filter", "rejects", Reject)}
    assert sorted(rejects) == ["d/a7", "d/a8", "d/a9", "d/b4"]
    assert {each.reason for each in rejects.values()} == {"low_logprob"}
    assert rejects["d/a7"].detail == "mean log-probability -0.7000, below -0.6000: the lowest 30% of its source go"
    model = "gemini-2.5-flash"
    assert manifest.facts["logprob_cuts"] == [
        ["d", "other.md", model, -3.3],
        ["d", "retrieval/fret", model, -0.6],
    ]
    assert manifest.counts["without_logprob"] == 1
    histogram = manifest.facts["logprobs"]
    assert histogram["d"]["retrieval/fret"][model]["-0.9"] == 1  # type: ignore[index,call-overload]  # JSON


def test_the_value_stands_on_the_row_rounded_and_its_query_alone_counts(tmp_path: Path) -> None:
    run(tmp_path)
    found = {each.query_id: each.logprob for each in rows_of(tmp_path, "filter", "queries", Query)}
    assert found["d/a3"] == -0.3
    assert found["d/b4"] == -3.4
    assert found["d/c"] is None


def test_a_fixed_least_value_holds_for_every_source(tmp_path: Path) -> None:
    _, kept = run(tmp_path, at_least=-0.45)
    assert kept == ["a0", "a1", "a2", "a3", "a4", "c"]


def test_queries_of_equal_value_go_or_stay_together(tmp_path: Path) -> None:
    rows: list[Written] = [(f"q{number}", "w", -1.0 if number < 4 else -0.5) for number in range(10)]
    assert len(run(tmp_path / "one", rows=rows, below=0.3)[1]) == 10
    assert len(run(tmp_path / "two", rows=rows, below=0.4)[1]) == 6


def test_gates_do_not_depend_on_order_workers_or_repeated_bundles(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    journaled(cache, ROWS)
    queries = [written(*row[:2]) for row in ROWS]
    one = run_filter(gated_recipe(tmp_path / "one", cache, below=0.3), queries)
    two = run_filter(gated_recipe(tmp_path / "two", cache, below=0.3), queries[::-1], (), "--direct_num_workers=2")
    repeat = "--direct_runner_bundle_repeat=1"
    three = run_filter(gated_recipe(tmp_path / "three", cache, below=0.3), queries, (), repeat)
    assert digests(one) == digests(two) == digests(three)
    assert one.facts == two.facts == three.facts


def test_gates_cut_alike_over_many_ranges_of_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    journaled(cache, ROWS)
    queries = [written(*row[:2]) for row in ROWS]
    one = run_filter(gated_recipe(tmp_path / "one", cache, below=0.3), queries)
    monkeypatch.setattr(decided, "_QUERIES_OF_A_RANGE", 2)
    monkeypatch.setattr(logprobs, "_KEYS_AT_ONCE", 1)
    other = run_filter(gated_recipe(tmp_path / "other", cache, below=0.3), queries)
    assert digests(one) == digests(other)
    assert one.facts == other.facts


def test_without_log_probabilities_nothing_is_read_and_nothing_goes(tmp_path: Path) -> None:
    queries = [written(*row[:2]) for row in ROWS]
    manifest = run_filter(recipe_for(tmp_path, filter={"duplicates": "keep"}), queries)
    assert manifest.books.kept.count == len(ROWS)
    assert "logprobs" not in manifest.facts
    assert "without_logprob" not in manifest.counts


def test_what_fret_wrote_gets_the_log_probabilities_of_its_own_tokens(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    llm = {"model": "gemini-2.5-flash", "base_url": gemini_server.url, "server": "local", "budget_tokens": 10**7}
    recipe = recipe_for(
        tmp_path,
        llm={**llm, "logprobs": True},
        synthesize={"per_document": 2},
        filter={"rater": None, "rules": "none", "duplicates": "keep"},
    )
    finish(recipe, "ingest", {"documents": docstrings()[:8], "queries": [], "pairs": []})
    run_stage(recipe, "synthesize", INPUTS)
    manifest = run_stage(recipe, "filter", dict.fromkeys(INPUTS, "synthesize"))
    queries = rows_of(tmp_path, "filter", "queries", Query)
    assert len(queries) > 8
    assert "without_logprob" not in manifest.counts
    for each in queries:
        assert each.lineage is not None
        key = str(each.lineage.request_key)
        text = journal.read_lane(recipe.cache_folder, journal.lane_of(key))[key][0].text
        start = text.index(json.dumps(each.query, ensure_ascii=False)) + 1
        touching = range(start // 4, -(-(start + len(each.query)) // 4))
        values = [logprob(pieces(text)[place]) for place in touching]
        assert each.logprob == round(sum(values) / len(values), 4)


def graded(_: str, prompt: str) -> str | None:
    grade = 1 if "kind a1" in prompt or "kind b" in prompt else 3
    return json.dumps({"reason": "so", "grade": grade})


@pytest.mark.parametrize(("below", "gone"), [(0.3, ["d/a1"]), (0.1, ["d/a1"]), (0.05, [])])
def test_the_lowest_ratings_of_each_source_go(
    below: float, gone: list[str], tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.canned = graded
    llm = {"model": "gemini-3.5-flash-lite", "base_url": gemini_server.url, "server": "local", "budget_tokens": 10**6}
    settings = {"rater": {"keep_from": 1}, "duplicates": "keep", "gates": {"rating": {"below": below}}}
    queries = [written(own_id, writer) for own_id, writer, _ in ROWS if own_id != "c"]
    manifest = run_filter(recipe_for(tmp_path, llm=llm, filter=settings), queries)
    rejects = rows_of(tmp_path, "filter", "rejects", Reject)
    assert [each.row_id for each in rejects] == gone
    assert all(each.reason == "low_rating" for each in rejects)
    ratings = {"retrieval/fret": {"1": 1, "3": 9}, "other.md": {"1": 5}}
    assert manifest.facts["ratings"] == {"d": ratings}


def test_queries_of_people_pass_the_rating_gate_unless_it_is_for_them(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.canned = graded
    llm = {"model": "gemini-3.5-flash-lite", "base_url": gemini_server.url, "server": "local", "budget_tokens": 10**6}
    queries = [query(f"a{number}", text_of(f"a{number}"), "human") for number in range(10)]
    for human, kept in ((False, 10), (True, 9)):
        settings = {
            "rater": {"keep_from": 0, "human": True},
            "duplicates": "keep",
            "gates": {"rating": {"human": human}},
        }
        manifest = run_filter(recipe_for(tmp_path / str(human), llm=llm, filter=settings), queries)
        assert manifest.books.kept.count == kept


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_cut_takes_at_most_the_share_and_as_many_whole_values_as_it_can(values: list[int], below: float) -> None:
    counted = Counter(map(float, values))
    cut = cut_of(counted, below)
    gone = sum(value < cut for value in values)
    assert gone <= below * len(values)
    assert gone + counted[cut] > below * len(values) - 1e-9 or cut == max(values)
