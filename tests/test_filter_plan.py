"""What the filter's questions and gates mean for a plan: requests counted as they are sent, contradictions told."""

from pathlib import Path

import pytest

from oreline.fingerprint import prompts_of
from oreline.forecast.corpus import Dataset
from oreline.forecast.counting import count_requests
from oreline.forecast.flow import Flow, asked_in_filter, rated_share
from oreline.forecast.predicting import prompt_estimate, requests_of, sample_requests
from oreline.forecast.ranges import Range
from oreline.job import Job
from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import recipe_from
from oreline.recipe.settings import Recipe
from oreline.records import Pair
from query_world import DOCUMENTS, INPUTS, query
from synthesize_world import docstrings

from gemini_server import GeminiServer
from house import finish, recipe_for, run_stage

LLM = {"provider": "gemini", "model": "gemini-3.5-flash-lite", "budget_tokens": 10_000_000}
ASKING: dict[str, object] = {"safety": {}, "quality": {"negatives_below": 2}}
QUERIES = [
    query("a", "why do sharks keep moving"),
    query("b", "sharks"),
    query("c", "how do gills work"),
    query("h", "can a shark sleep", "human"),
]
PAIRS = [Pair("d/h", "d/one", "positive", "human"), Pair("d/h", "d/two", "negative", "human")]


def recipe_of(output: Path, filter_keys: dict[str, object], url: str = "http://127.0.0.1:9") -> Recipe:
    return recipe_for(output, llm={**LLM, "base_url": url, "server": "local"}, filter=filter_keys)


def test_all_questions_are_counted_as_they_are_asked(tmp_path: Path, gemini_server: GeminiServer) -> None:
    recipe = recipe_of(tmp_path, ASKING, gemini_server.url)
    finish(recipe, "ingest", {"documents": DOCUMENTS, "queries": QUERIES, "pairs": PAIRS})
    llm = recipe.llm_of("filter")
    assert llm is not None
    job = Job(str(tmp_path), "filter", recipe, dict(INPUTS))
    found = count_requests(job, llm, recipe.cache_folder, lambda _: None)
    run_stage(recipe, "filter", INPUTS)
    assert found.models[0].calls == sum(gemini_server.calls.values()) == 2 + 2 + 2
    assert count_requests(job, llm, recipe.cache_folder, lambda _: None).models[0].calls == 0


def test_queries_that_a_gate_by_log_probability_drops_are_no_calls(tmp_path: Path, gemini_server: GeminiServer) -> None:
    llm = {**LLM, "model": "gemini-2.5-flash", "logprobs": True, "base_url": gemini_server.url, "server": "local"}
    settings = {"gates": {"logprob": {"below": 0.5}}, "duplicates": "keep", "rules": "none"}
    recipe = recipe_for(tmp_path, llm=llm, filter=settings)
    finish(recipe, "ingest", {"documents": docstrings()[:6], "queries": [], "pairs": []})
    run_stage(recipe, "synthesize", INPUTS)
    written = sum(gemini_server.calls.values())
    inputs = dict.fromkeys(INPUTS, "synthesize")
    model = recipe.llm_of("filter")
    assert model is not None
    found = count_requests(Job(str(tmp_path), "filter", recipe, inputs), model, recipe.cache_folder, lambda _: None)
    manifest = run_stage(recipe, "filter", inputs)
    assert manifest.drops["low_logprob"] > 0
    assert found.models[0].calls == sum(gemini_server.calls.values()) - written == manifest.counts["requests"]


def test_before_the_queries_are_there_each_question_is_predicted(tmp_path: Path) -> None:
    flow = Flow({"d": Dataset(Range.exactly(2), Range.exactly(100), True, tuple(DOCUMENTS))}, Range.exactly(1_000))
    plain, asking = recipe_of(tmp_path, {}), recipe_of(tmp_path, ASKING)
    assert list(asked_in_filter(asking, flow)) == ["rater", "safety", "quality"]
    assert requests_of(asking, "filter", flow).expected > 2 * requests_of(plain, "filter", flow).expected
    assert rated_share(plain, flow) == 1.0
    assert 0.3 < rated_share(asking, flow) < 0.5
    assert rated_share(recipe_of(tmp_path, {**ASKING, "rater": None}), flow) == 0.0
    prompts, llm = prompts_of(asking, "filter"), asking.llm_of("filter")
    assert llm is not None
    assert [each.id for each in prompts] == ["filter/rater", "filter/safety", "filter/quality"]
    sample = sample_requests(asking, "filter", flow, llm, prompts)
    assert {each.prompt_id for each in sample} == {each.id for each in prompts}
    lengths = [prompt_estimate(asking, "filter", flow, prompts).expected]
    lengths += [prompt_estimate(plain, "filter", flow, prompts[:1]).expected]
    assert 0.6 < lengths[0] / lengths[1] < 1.2


@pytest.mark.parametrize(
    ("llm", "keys", "message"),
    [
        (None, {"safety": {}}, "filter.safety: it asks a model, but the recipe has no llm"),
        (None, {"quality": {}}, "filter.quality: it asks a model"),
        (LLM, {"quality": {"positives_from": None}}, "neither positives nor negatives are asked about"),
        (None, {"gates": {"rating": {}}}, "it compares the rater's grades, but there is no llm"),
        (LLM, {"rater": None, "gates": {"rating": {}}}, "but filter.rater is null"),
        (LLM, {"gates": {"logprob": {"below": 0.1}}}, "set llm.logprobs: true"),
        ({**LLM, "logprobs": True}, {"gates": {"logprob": {}}}, "it drops nothing as it stands"),
    ],
)
def test_what_could_not_be_done_is_told_with_what_to_do(
    llm: dict[str, object] | None, keys: dict[str, object], message: str
) -> None:
    recipe: dict[str, object] = {"output": "out", "sources": ["docs/"], "filter": keys}
    found = check_recipe(recipe_from(recipe if llm is None else {**recipe, "llm": llm}))
    assert any(message in each for each in found), found


def test_a_gate_by_log_probabilities_that_are_asked_for_is_no_problem() -> None:
    llm = {"provider": "gemini", "model": "gemini-2.5-flash", "logprobs": True}
    gates = {"logprob": {"below": 0.2}, "rating": {"below": 0.1}}
    recipe = {"output": "out", "sources": ["docs/"], "llm": llm, "filter": {"gates": gates, **ASKING}}
    assert check_recipe(recipe_from(recipe)) == []
