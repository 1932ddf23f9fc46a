"""What `oreline plan` knows of the judge: counts by scorer where inputs are there, ranges for the rest."""

from pathlib import Path

import pytest

from judge_house import INPUTS, World, docstrings, gemini, judged, recipe_of, world
from oreline.forecast.asked import StageForecast
from oreline.forecast.budgets import outlooks
from oreline.forecast.corpus import Dataset
from oreline.forecast.counting import count_requests
from oreline.forecast.flow import Flow
from oreline.forecast.history import History
from oreline.forecast.judges import Judges, is_plain, measured_told
from oreline.forecast.ranges import Range
from oreline.job import Job
from oreline.llm.spending import Spending
from oreline.planning import Planned
from oreline.preflight import judge_told, models_called
from oreline.recipe.settings import Llm, Recipe
from oreline.stages.catalog import BY_NAME, model_of, models_of
from reranking_server import RerankingServer

from gemini_server import GeminiServer
from house import finish, recipe_for

PRICE = {"input": 1.0, "output": 4.0}


def uncounted(member: Llm, requests: object) -> str:
    del member, requests
    return "no counter"


def ready(recipe: Recipe, made: World) -> Job:
    """Returns judge's job over tables that stand as mine left them."""
    finish(recipe, "ingest", {"documents": docstrings(), "queries": made[0], "pairs": made[1]})
    finish(recipe, "mine", {"candidates": made[2]})
    return Job(recipe.output, "judge", recipe, INPUTS)


def flow_of(queries: int) -> Flow:
    documents = docstrings()
    sample = tuple(documents[:40])
    return Flow({"python": Dataset(Range.exactly(len(documents)), Range.exactly(queries), pairs=True, sample=sample)})


def forecasts(recipe: Recipe, made: World) -> dict[str | None, StageForecast]:
    job, llm = ready(recipe, made), recipe.llm
    assert llm is not None
    flow = flow_of(len(made[0]))
    counted = count_requests(job, llm, recipe.cache_folder, lambda _: None)
    found = Judges(recipe, flow, History(), uncounted).forecasts(counted)
    return {each.scorer: each for each in found}


def test_each_scorers_requests_are_counted_and_a_cascades_are_a_range_that_holds_the_bill(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    cascade = {"llm": gemini(gemini_server, "gemini-strong", price=PRICE), "ask_again": "partly"}
    recipe = recipe_of(
        tmp_path, gemini(gemini_server, price=PRICE), scorers=["listwise", "graded", "likelihood"], cascade=cascade
    )
    made = world(6, docstrings())
    planned = forecasts(recipe, made)
    manifest = judged(recipe, docstrings(), made)
    meters = manifest.facts["scorers"]
    assert isinstance(meters, dict)
    assert set(planned) == set(meters) == {"listwise", "graded", "likelihood", "listwise/strong"}
    for name, each in planned.items():
        meter = meters[str(name)]
        assert isinstance(meter, dict)
        assert each.exact == (name != "listwise/strong")
        calls, tokens, cost = (int(str(meter[what])) for what in ("calls", "tokens", "microdollars"))
        assert each.requests.low <= calls <= each.requests.high
        assert each.tokens.low <= tokens <= each.tokens.high
        assert each.dollars is not None
        assert each.dollars.low <= cost / 1e6 <= each.dollars.high
        if each.exact:
            assert (each.requests.low, each.requests.high, each.journaled) == (calls, calls, 0)
    assert [planned[name].label for name in ("listwise", "listwise/strong")] == [
        "judge, listwise",
        "judge, listwise/strong",
    ]


def test_a_second_round_is_counted_without_what_is_stored(tmp_path: Path, gemini_server: GeminiServer) -> None:
    scorers = ["listwise", "graded"]
    first = recipe_of(tmp_path / "one", gemini(gemini_server), tmp_path / "cache", scorers=scorers)
    judged(first, docstrings(), world(6, docstrings()))
    sent = len(gemini_server.answered_prompts)
    second = recipe_of(tmp_path / "two", gemini(gemini_server), tmp_path / "cache", scorers=scorers)
    made = world(6, docstrings(), begin=4)
    planned = forecasts(second, made)
    judged(second, docstrings(), made)
    new = gemini_server.answered_prompts[sent:]
    listwise = sum('<document number="1">' in prompt for prompt in new)
    assert planned["listwise"].calls.expected == pytest.approx(listwise, rel=0.1)
    assert planned["listwise"].requests == Range.exactly(listwise)
    assert planned["graded"].requests == Range.exactly(len(new) - listwise)
    again = forecasts(second, made)
    assert all(each.requests == Range.exactly(0) for each in again.values())


def test_of_many_queries_some_are_counted_and_stored_verdicts_do_not_make_the_others_more(
    tmp_path: Path, gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = docstrings()
    first = recipe_of(tmp_path / "one", gemini(gemini_server), tmp_path / "cache", scorers=["graded"])
    made = world(30, documents)
    half = (made[0], made[1], made[2][::2])
    judged(first, documents, half)
    second = recipe_of(tmp_path / "two", gemini(gemini_server), tmp_path / "cache", scorers=["graded"])
    job, llm = ready(second, made), second.llm
    assert llm is not None
    whole = count_requests(job, llm, second.cache_folder, lambda _: None)
    monkeypatch.setattr("oreline.forecast.counting.MOST_REQUESTS", 100)
    cut = count_requests(job, llm, second.cache_folder, lambda _: None)
    assert whole.exact
    assert not cut.exact
    assert cut.requests.expected == pytest.approx(whole.requests.expected, rel=0.35), "twice that by requests alone"


def test_what_is_not_there_yet_is_expected_by_scorer(tmp_path: Path, gemini_server: GeminiServer) -> None:
    recipe = recipe_of(tmp_path, gemini(gemini_server), scorers=["listwise", "graded", "likelihood"])
    documents = docstrings()
    flow = flow_of(10)
    expected = {each.scorer: each for each in Judges(recipe, flow, History(), uncounted).forecasts(None)}
    planned = forecasts(recipe, world(10, documents))
    for name, each in expected.items():
        assert not each.exact
        assert each.requests.low <= planned[name].requests.expected <= each.requests.high
        assert each.prompt_tokens.low <= planned[name].prompt_tokens.expected <= each.prompt_tokens.high


def test_pairs_for_a_cross_encoder_are_counted_until_they_are_stored(tmp_path: Path) -> None:
    with RerankingServer() as server:
        section = {"model": "reranker", "server": server.url, "relevant_from": 0.5}
        recipe = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder=section)
        made = world(4, docstrings())
        job = ready(recipe, made)
        before = measured_told(recipe, Flow(), job)
        judged(recipe, docstrings(), made)
        pairs = len(server.scored)
        assert before.startswith(f"judge, cross_encoder: reranker would score {pairs:,} pairs")
        assert "price is not known" in before
        assert "would score 0 pairs" in measured_told(recipe, Flow(), job)
    flow = Flow({"d": Dataset(Range.exactly(1_000), Range.exactly(10), pairs=True, sample=())})
    assert "would score 200 to 320 pairs" in measured_told(recipe_of(tmp_path, None, top_k=20), flow, None)


def test_the_default_judge_is_planned_like_any_stage() -> None:
    recipe = recipe_for(Path("out"), llm={"model": "gemini-3.5-flash-lite"})
    assert is_plain(recipe)
    assert models_of(recipe, "judge") == (recipe.llm,)
    assert not is_plain(
        recipe.model_copy(update={"judge": recipe.judge.model_copy(update={"scorers": ["graded", "likelihood"]})})
    )


def test_a_cascades_model_is_among_those_that_a_run_may_call(gemini_server: GeminiServer, tmp_path: Path) -> None:
    cascade = {"llm": gemini(gemini_server, "gemini-strong")}
    recipe = recipe_of(tmp_path, gemini(gemini_server), cascade=cascade)
    plan = [Planned(BY_NAME["judge"], "run", "not run yet")]
    assert recipe.judge.cascade is not None
    assert models_called(recipe, plan) == {recipe.llm: ["judge"], recipe.judge.cascade.llm: ["judge"]}
    (told,) = judge_told(recipe, plan)
    assert told.startswith("judge: gemini-strong is asked again, listwise, about what is called relevant")
    alone = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder={"model": "m"}, cascade=cascade)
    assert alone.judge.cascade is not None
    assert model_of(alone, "judge") == alone.judge.cascade.llm


def test_what_a_model_cannot_do_is_said_before_it_is_asked(tmp_path: Path, gemini_server: GeminiServer) -> None:
    recipe = recipe_of(tmp_path, gemini(gemini_server), scorers=["graded", "likelihood"])
    told = list(judge_told(recipe, [Planned(BY_NAME["judge"], "run", "not run yet")]))
    grade, likelihood = told
    assert grade.startswith("judge: the grade by gemini-3.5-flash-lite is the stated one; with llm.logprobs")
    assert likelihood.startswith("judge: likelihood by gemini-3.5-flash-lite is a grade from 0 to 10: it gives no")
    assert list(judge_told(recipe, [Planned(BY_NAME["judge"], "finished", "")])) == []


def test_a_budget_counts_all_of_the_judges_scorers_and_names_the_stage_once(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    cascade = {"llm": gemini(gemini_server, "gemini-strong", price=PRICE)}
    recipe = recipe_of(tmp_path, gemini(gemini_server, price=PRICE), scorers=["listwise", "graded"], cascade=cascade)
    planned = list(forecasts(recipe, world(6, docstrings())).values())
    found = outlooks(planned, Spending())
    assert [each.stages for each in found] == [("judge",), ("judge",)]
    whole = sum(each.dollars.expected for each in planned if each.dollars is not None)
    assert [each.needed_dollars.expected for each in found if each.needed_dollars] == [pytest.approx(whole)] * 2
