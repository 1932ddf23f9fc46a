"""filter.uniform_tasks: as many written queries of each kind of task as of the others, and anyone can tell which."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.filters.tasks import FACT, thresholds
from oreline.ids import seeded_fraction
from oreline.records import Pair, Query, TaskType
from oreline.writing.rows import kind_of
from query_world import digests, pair, query, run_filter

from gemini_server import GeminiServer
from house import recipe_for, rows_of

FREE = {"rules": "none", "duplicates": "keep"}
NUMBERS: dict[str, int] = {"retrieval": 90, "question_answering": 60, "fact_checking": 30, "code_retrieval": 4}


def world() -> tuple[list[Query], list[Pair]]:
    """Written queries of some kinds, 20 of a free form, and queries that are nobody's business here."""
    queries = [
        query(f"{task}-{number}", f"words {number} of {task}", task_type=cast("TaskType", task))
        for task, size in NUMBERS.items()
        for number in range(size)
    ]
    for number in range(20):
        made = query(f"free-{number}", f"free words {number}")
        assert made.lineage is not None
        queries.append(replace(made, lineage=replace(made.lineage, drawn='{"kind":"free_form"}')))
    queries += [query(f"human-{number}", f"a person asks {number}", "human") for number in range(50)]
    queries += [query(f"title-{number}", f"title {number}", "extractive") for number in range(50)]
    queries += [query(f"test-{number}", f"test words {number}", split="test") for number in range(50)]
    return queries, [pair(each.query_id.removeprefix("d/"), "one") for each in queries]


def written(rows: list[Query]) -> Counter[str]:
    return Counter(kind_of(each) for each in rows if each.origin == "synthetic" and each.split == "train")


def test_every_kind_is_as_frequent_as_the_rarest_that_counts_and_all_else_stays(tmp_path: Path) -> None:
    queries, pairs = world()
    manifest = run_filter(recipe_for(tmp_path, filter={**FREE, "uniform_tasks": {}}), queries, pairs)
    kept = rows_of(tmp_path, "filter", "queries", Query)
    assert written(kept) == {
        **dict.fromkeys(("retrieval", "question_answering", "fact_checking", "free_form"), 20),
        "code_retrieval": 4,
    }
    assert len(kept) == 84 + 150
    assert manifest.books.passed_over.count == len(queries) - len(kept) == 120
    assert manifest.rows("fates") == 0
    assert manifest.rows("rejects") == 0
    assert {each.query_id for each in rows_of(tmp_path, "filter", "pairs", Pair)} == {each.query_id for each in kept}
    assert manifest.counts["passed_over_pairs"] == 120
    told = cast("dict[str, dict[str, Any]]", manifest.facts[FACT])
    for each in queries:
        if each.origin == "synthetic" and each.split == "train":
            stays = seeded_fraction(13, "tasks", each.query_id) <= told[kind_of(each)]["up_to"]
            assert stays == (each in kept)
    assert told["retrieval"]["queries"] == 90
    assert told["retrieval"]["kept"] == 20


@pytest.mark.parametrize(("least", "rarest"), [(0.0, 4), (0.12, 30), (0.4, 90), (1.0, 90)])
def test_what_is_rarer_than_the_least_share_does_not_make_the_others_rare(
    tmp_path: Path, least: float, rarest: int
) -> None:
    queries, pairs = world()
    run_filter(recipe_for(tmp_path, filter={**FREE, "uniform_tasks": {"least": least}}), queries, pairs)
    kept = written(rows_of(tmp_path, "filter", "queries", Query))
    assert kept == {kind: min(number, rarest) for kind, number in {**NUMBERS, "free_form": 20}.items()}


def test_without_the_setting_all_stay_and_nothing_is_stated(tmp_path: Path) -> None:
    queries, pairs = world()
    manifest = run_filter(recipe_for(tmp_path, filter=FREE), queries, pairs)
    assert manifest.rows("queries") == len(queries)
    assert FACT not in manifest.facts


def test_no_written_query_is_no_problem(tmp_path: Path) -> None:
    people = [query("h", "who asks", "human")]
    manifest = run_filter(recipe_for(tmp_path, filter={**FREE, "uniform_tasks": {}}), people, [pair("h", "one")])
    assert manifest.rows("queries") == 1


def test_the_balance_does_not_depend_on_order_workers_or_repeated_bundles(tmp_path: Path) -> None:
    queries, pairs = world()
    settings = {**FREE, "duplicates": "drop", "uniform_tasks": {}}
    once = run_filter(recipe_for(tmp_path / "once", filter=settings), queries, pairs)
    repeat = "--direct_runner_bundle_repeat=1"
    again = run_filter(recipe_for(tmp_path / "again", filter=settings), queries[::-1], pairs, repeat)
    two = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    shared = run_filter(recipe_for(tmp_path / "two", filter=settings), queries, pairs, *two)
    assert digests(once) == digests(again) == digests(shared)
    assert once.facts[FACT] == again.facts[FACT] == shared.facts[FACT]


def test_the_balance_is_struck_after_the_rater_of_those_that_it_keeps(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    def rate(_: str, prompt: str) -> str | None:
        grade = 0 if "of retrieval" in prompt and hash_of(prompt) % 2 else 3
        return json.dumps({"reason": "as told", "grade": grade})

    gemini_server.canned = rate
    queries, pairs = world()
    llm = {"model": "gemini-3.5-flash-lite", "base_url": gemini_server.url, "server": "local"}
    filters = {**FREE, "uniform_tasks": {"least": 0.18}}
    manifest = run_filter(recipe_for(tmp_path, llm=llm, filter=filters), queries, pairs)
    kept = written(rows_of(tmp_path, "filter", "queries", Query))
    assert 20 < manifest.drops["low_rate"] < 70
    told = cast("dict[str, dict[str, Any]]", manifest.facts[FACT])
    assert told["retrieval"]["queries"] == NUMBERS["retrieval"] - manifest.drops["low_rate"]
    assert kept["retrieval"] == kept["question_answering"] == kept["fact_checking"] == 30
    assert manifest.books.balanced


def hash_of(prompt: str) -> int:
    return int(seeded_fraction(0, prompt) * 1_000)


@given(
    st.dictionaries(st.sampled_from(get_args(TaskType)), st.integers(1, 60), min_size=1),
    st.floats(0.0, 1.0),
    st.integers(0, 2**32 - 1),
)
def test_no_kind_has_more_than_the_measure_unless_it_is_none(sizes: dict[str, int], least: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    draws = {kind: random.random(size) for kind, size in sizes.items()}
    found = thresholds(draws, least)
    counting = [size for size in sizes.values() if size >= least * sum(sizes.values())]
    measure = min(counting, default=sum(sizes.values()))
    for kind, each in found.items():
        assert each.kept == min(sizes[kind], measure)
        assert np.count_nonzero(draws[kind] <= each.up_to) == each.kept
