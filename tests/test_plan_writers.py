"""The plan of writers of several rounds, with shares, draws and several models: the real bill lies in its range."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from oreline.forecast.counting import Counted, count_requests
from oreline.forecast.later import calls_of_round
from oreline.forecast.ranges import Range
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.writing.catalog import chains_of
from plan_house import Course
from synthesize_world import docstrings
from writing_house import INPUTS, ingested, synthesized, writing_recipe

from gemini_server import GeminiServer
from house import data_folder, recipe_for, run_stage

BOTH = ["retrieval/fret", "retrieval/summarize"]
LANGUAGES = {"languages": {"own": 1, "de": 1}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        monkeypatch.setenv("GEMINI_API_KEY", running.key)
        yield running


def count(recipe: Recipe) -> Counted:
    job = Job(recipe.output, "synthesize", recipe, INPUTS)
    assert recipe.llm is not None
    return count_requests(job, recipe.llm, recipe.cache_folder, lambda _: None)


def calls(found: Counted) -> Range:
    known = sum(each.calls for each in found.models)
    return sum((each.calls for each in found.later), Range.exactly(known))


def test_the_first_round_is_counted_and_the_second_expected(tmp_path: Path, server: GeminiServer) -> None:
    source = docstrings()[:40]
    recipe = writing_recipe(tmp_path, server, writers=BOTH, summarize=LANGUAGES)
    ingested(recipe, source)
    found = count(recipe)
    assert sum(each.calls for each in found.models) == 80
    assert {prompt for _, prompt in found.groups} == {"retrieval/fret", "retrieval/summarize"}
    assert not found.exact
    manifest = run_stage(recipe, "synthesize", INPUTS)
    assert calls(found).low < manifest.counts["paid_requests"] <= calls(found).high
    assert abs(calls(found).expected - manifest.counts["paid_requests"]) < 12


def test_what_the_journal_holds_of_the_first_round_makes_the_second_known(tmp_path: Path, server: GeminiServer) -> None:
    source, cache = docstrings()[:30], tmp_path / "cache"
    half = writing_recipe(tmp_path / "half", server, cache, writers=BOTH, summarize=LANGUAGES)
    synthesized(half, source[:15])
    paid = sum(server.answers.values())
    whole = writing_recipe(tmp_path / "whole", server, cache, writers=BOTH, summarize=LANGUAGES)
    ingested(whole, source)
    found = count(whole)
    assert sum(each.calls for each in found.models) == 30, "two first calls for each document that is new"
    assert sum(each.requests for each in found.models) == 30 + paid
    assert {each.calls.high for each in found.later} == {15 * 2.0}
    run_stage(whole, "synthesize", INPUTS)
    assert calls(found).low <= sum(server.answers.values()) - paid <= calls(found).high
    again = count(writing_recipe(tmp_path / "whole", server, cache, writers=BOTH, summarize=LANGUAGES))
    assert again.exact
    assert calls(again) == Range.exactly(0)


def test_shares_and_draws_are_counted(tmp_path: Path, server: GeminiServer) -> None:
    settings = {"task": "Find code.", "examples": [{"query": "a b", "document": "c"}, {"query": "d", "document": "e"}]}
    writers = ["retrieval/few_shot", "retrieval/summarize"]
    shares = {"retrieval/few_shot": 3, "retrieval/summarize": 1}
    further = {"further_models": [{"model": "gemini-3.8-flash", "thinking_budget": 0}]}
    recipe = writing_recipe(
        tmp_path, server, None, further, writers=writers, shares=shares, few_shot=settings, per_document=4
    )
    ingested(recipe, docstrings()[:60])
    found = count(recipe)
    manifest = run_stage(recipe, "synthesize", INPUTS)
    by_prompt = {prompt: 0 for _, prompt in found.groups}
    for (_, prompt), each in found.groups.items():
        by_prompt[prompt] += each.calls
    assert by_prompt["retrieval/few_shot"] + 4 * by_prompt["retrieval/summarize"] == 4 * 60
    assert calls(found).low <= manifest.counts["paid_requests"] <= calls(found).high
    assert all(each.calls for each in found.models)


def test_a_later_round_is_as_long_as_its_chain_expects_and_half_as_long_again_at_most() -> None:
    settings: dict[str, object] = {"writers": BOTH, "per_document": 4, "summarize": {"languages": {"a": 1, "b": 1}}}
    chain = chains_of(recipe_for(Path("out"), llm={"model": "m"}, synthesize=settings))["retrieval/summarize"]
    assert calls_of_round(chain, 0) == Range.exactly(1)
    assert calls_of_round(chain, 1) == Range(0.75 * 1.875, 1.875, 1.25 * 1.875)


def course(folder: Path, server: GeminiServer, synthesize: str, llm: str = "") -> Course:
    path = Course.of(folder, data_folder("medquad-sample"), server, (48, 24), llm=llm)
    recipe = Path(path.recipe)
    lines = [line for line in recipe.read_text().splitlines() if not line.startswith("synthesize:")]
    recipe.write_text("\n".join([*lines, synthesize, "select: {negatives: 0}", "filter: {rater: null}"]) + "\n")
    return path


CHAINS = (
    "synthesize: {writers: [retrieval/fret, retrieval/summarize, retrieval/persona], sample: 24, "
    "shares: {retrieval/fret: 1, retrieval/persona: 1}, summarize: {languages: {own: 1, de: 1, sw: 1}}}"
)
FURTHER = ", further_models: [{model: gemini-3.8-flash, thinking_budget: 0}]"


@pytest.mark.parametrize("llm", ["", FURTHER], ids=["one model", "two models"])
def test_the_bill_of_chains_lies_in_every_range(tmp_path: Path, server: GeminiServer, llm: str) -> None:
    path = course(tmp_path, server, CHAINS, llm)
    path.plan("before")
    path.plan("before, offline", "--offline")
    path.run("dedup")
    path.plan("after dedup")
    path.run("synthesize")
    assert path.misses() == []
    assert path.exact("after dedup") == []
    (counted,) = [each for each in path.plans if each.when == "after dedup"]
    assert counted.dollars[2] < 4 * counted.dollars[0]


def test_the_bill_of_a_writer_that_needs_no_document_lies_in_its_range(tmp_path: Path, server: GeminiServer) -> None:
    draws = "synthesize: {writers: [generated/brainstorm], brainstorm: {rows: 24, tasks_per_call: 4}}"
    path = course(tmp_path, server, draws)
    path.plan("before")
    path.run("synthesize")
    assert path.misses() == []
    assert path.plans[0].requests[0] > 0
