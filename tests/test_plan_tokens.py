"""Tokens, money and time of a plan: ranges that hold what they are about."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline import prompting
from oreline.forecast.asked import StageForecast
from oreline.forecast.budgets import outlooks
from oreline.forecast.counters import remembering
from oreline.forecast.history import Spread, Summary, spread
from oreline.forecast.money import ModelForecast, seconds_of, with_draw
from oreline.forecast.ranges import Range, either, total
from oreline.forecast.rendering import Rendered, estimate_of
from oreline.forecast.tokens import (
    latency_expectation,
    output_expectation,
    repeats,
    thinking_expectation,
    tokens_per_estimate,
)
from oreline.judging.answers import ListwiseAnswer
from oreline.llm.journal.segments import Label
from oreline.llm.prices import price_of
from oreline.llm.requests import Answer, Request
from oreline.llm.spending import Spending
from oreline.recipe.settings import Llm
from oreline.writing.answers import FretAnswer
from oreline.writing.fret import FretChain
from synthesize_world import asked_about, docstrings

LITE = Llm(model="gemini-3.5-flash-lite")
FRET = prompting.load("retrieval/fret", FretAnswer)
bounds = st.lists(st.floats(0, 1e6), min_size=3, max_size=3).map(lambda three: Range(*sorted(three)))


def requests(number: int) -> list[Request]:
    return [asked_about(FretChain("retrieval/fret", FRET, 2), LITE, each) for each in docstrings()[:number]]


def answers(number: int, *, again: int = 0, output: int = 50) -> Summary:
    summary = Summary()
    for place in range(number):
        summary.add(Answer(f"{place:064x}", 0, "ok", "", prompt_tokens=900, output_tokens=output, latency=0.5))
    for place in range(again):
        summary.add(Answer(f"{place:064x}", 1, "ok", "", prompt_tokens=900, output_tokens=output, latency=0.5))
    return summary


def stage(name: str, calls: Range, llm: Llm = LITE) -> StageForecast:
    model = ModelForecast("gemini", llm.model, calls, Range.exactly(1e6), Range.exactly(0), price_of(llm))
    return StageForecast(name, llm, True, calls, 0, (model,), Range.exactly(1), ())


@given(bounds, bounds)
def test_sums_and_products_of_ranges_stay_in_order(one: Range, other: Range) -> None:
    for made in (one + other, one * other, one * 2.0, total([one, other]), either([one, other]), one.at_most(other)):
        assert made.low <= made.expected <= made.high
    assert one.rounded().low <= one.low
    assert one.rounded().high >= one.high


def test_a_counted_sample_tells_the_tokens_of_all_prompts() -> None:
    sample = requests(32)
    real = [round(1.1 * estimate_of(each)) + place % 3 for place, each in enumerate(sample)]
    known = tokens_per_estimate(LITE, Rendered(sample=sample), lambda _, __: real)
    assert known.value.low <= sum(real) / sum(map(estimate_of, sample)) <= known.value.high
    assert known.value.high < 1.5
    assert "the provider counts 32" in known.basis[0]


def test_without_a_counter_the_range_is_wide_and_says_why() -> None:
    known = tokens_per_estimate(LITE, Rendered(sample=requests(8)), lambda _, __: "no key")
    assert known.value.low <= 0.7
    assert known.value.high >= 1.35
    assert known.basis == ("prompts estimated from their characters: no key",)


def test_journaled_answers_tell_the_tokens_of_prompts_without_asking() -> None:
    rendered = Rendered(sample=requests(8), journaled=20, counted=2_200, counted_estimate=2_000)
    known = tokens_per_estimate(LITE, rendered, lambda _, __: pytest.fail("the provider was asked"))
    assert known.value.expected == pytest.approx(1.1)


def test_a_model_that_cannot_be_counted_for_is_not_asked_twice() -> None:
    asked: list[str] = []

    def failing(member: Llm, _: object) -> str:
        asked.append(member.model)
        return "out of reach"

    counter = remembering(failing)
    assert [counter(LITE, requests(2)) for _ in range(3)] == ["out of reach"] * 3
    assert asked == [LITE.model]


def test_answers_are_as_long_as_earlier_ones_else_as_the_prompt_file_says() -> None:
    stated = output_expectation(LITE, FRET, Range.exactly(2), None, 100)
    assert (stated.value.low, stated.value.high) == (2 * 40, 2 * 140)
    assert stated.basis == ("length of answers as the prompt file says",)
    known = output_expectation(LITE, FRET, Range.exactly(2), answers(200), 100)
    assert known.value.low <= 50 <= known.value.high < 60


def test_an_answer_is_never_expected_beyond_its_limit() -> None:
    listwise = prompting.load("judge/listwise", ListwiseAnswer)
    short = LITE.model_copy(update={"max_output_tokens": 100})
    assert output_expectation(short, listwise, Range.exactly(32), None, 1).value.high == 100


def test_thinking_is_as_set_else_as_the_model_does() -> None:
    assert thinking_expectation(LITE).high == 0
    flash = Llm(model="gemini-3.8-flash")
    assert thinking_expectation(flash).high >= 1_000
    assert thinking_expectation(flash.model_copy(update={"thinking_budget": 0})).high == 0
    assert thinking_expectation(flash.model_copy(update={"thinking_level": "low"})).high < 1_000


def test_second_attempts_follow_the_journal() -> None:
    assert repeats(None, 1) == Range.exactly(1)
    assert repeats(None, 2).high == pytest.approx(1.15)
    seen = repeats(answers(1_000, again=200), 2)
    assert seen.low <= 1.2 <= seen.high < 1.3
    assert repeats(answers(1_000), 2).high < 1.1


@given(st.lists(st.floats(1, 1e4), min_size=8, max_size=50), st.floats(1, 1e6))
def test_the_mean_of_earlier_numbers_lies_in_what_is_expected_of_the_next(numbers: list[float], calls: float) -> None:
    found = spread(numbers)
    assert found is not None
    expected = found.mean_of(calls)
    assert expected.low <= found.mean <= expected.high
    assert spread(numbers[:7]) is None


def test_time_follows_concurrency_latency_and_rates() -> None:
    calls, tokens = Range.exactly(3200), Range.exactly(3_200_000)
    free = seconds_of(LITE, calls, tokens, Range.exactly(1))
    assert free.expected == pytest.approx(101)
    limited = LITE.model_copy(update={"requests_per_minute": 60})
    assert seconds_of(limited, calls, tokens, Range.exactly(1)).low == pytest.approx(3200)
    thrifty = LITE.model_copy(update={"tokens_per_minute": 32_000})
    assert seconds_of(thrifty, calls, tokens, Range.exactly(1)).low == pytest.approx(6000)
    assert latency_expectation(answers(100)).value.expected == pytest.approx(0.5)


def test_which_model_gets_a_request_is_luck_that_widens_the_sum() -> None:
    cheap, dear = Llm(model="gemini-3.5-flash-lite"), Llm(model="gemini-4-argon")
    models = [
        ModelForecast("gemini", each.model, Range.exactly(50), Range.exactly(1000), Range.exactly(0), price_of(each))
        for each in (cheap, dear)
    ]
    whole = Range.exactly(1.0)
    per_call = [Range.exactly(0.001), Range.exactly(0.01)]
    assert with_draw(models, whole, per_call) == whole  # counted: no draw is left
    drawn = with_draw([replace(each, share=0.5) for each in models], whole, per_call)
    assert drawn.low < 1.0 < drawn.high
    assert replace(models[0], share=0.5).drawn_calls.high > 50


def test_a_budget_that_is_too_small_is_told_with_the_stage_and_what_would_do() -> None:
    llm = LITE.model_copy(update={"budget_usd": 5.0})
    stages = [stage("synthesize", Range(1, 2, 4), llm), stage("judge", Range(10, 12, 40), llm)]
    spent = Spending({"synthesize": Label("", "synthesize", 1, 1000, 1_000_000_000)})
    (found,) = outlooks(stages, spent)
    assert (found.stops_in, found.may_stop_in) == ("judge" if 1 + 14 * 0.3 > 5 else None, "judge")
    assert "4.00 dollars left" in found.told
    # 1 is spent, 44 calls cost 0.3; the last one needs room for twice its prompt and an answer of 2,048 tokens.
    assert "set llm.budget_usd to 14.51" in found.told
    (enough,) = outlooks([stage("judge", Range.exactly(1), llm)], Spending())
    assert enough.told.endswith("It is enough")


def test_a_budget_in_tokens_is_weighed_too() -> None:
    llm = LITE.model_copy(update={"budget_tokens": 3_500_000})
    (found,) = outlooks([stage("synthesize", Range(1, 2, 4), llm)], Spending())
    assert (found.stops_in, found.may_stop_in) == (None, "synthesize")
    assert "set llm.budget_tokens to 5002048" in found.told


def test_a_budget_without_room_for_the_longest_answer_is_not_enough() -> None:
    llm = LITE.model_copy(update={"budget_usd": 0.004})
    model = ModelForecast("gemini", llm.model, Range(3, 3, 4), Range.exactly(1_000), Range.exactly(100), price_of(llm))
    made = StageForecast("judge", llm, True, Range.exactly(3), 0, (model,), Range.exactly(1), ())
    (found,) = outlooks([made], Spending())
    assert made.dollars is not None
    assert made.dollars.high < 0.004
    assert found.stops_in == "judge"
    assert "0.004 dollars left" in found.told
    # 4 calls of 0.00055, and 0.0003 for the prompt and 1,948 answer tokens at 2.5 dollars a million.
    assert "set llm.budget_usd to 0.0074, the most that is expected with room for the longest answer" in found.told
    raised = replace(made, llm=llm.model_copy(update={"budget_usd": 0.0074}))
    assert outlooks([raised], Spending())[0].told.endswith("It is enough")


def test_a_stage_that_asks_nothing_is_not_stopped_by_a_budget_that_is_spent() -> None:
    llm = LITE.model_copy(update={"budget_usd": 1.0})
    spent = Spending({"judge": Label("", "judge", 1, 1000, 2_000_000_000)})
    assert outlooks([stage("judge", Range.exactly(0), llm)], spent)[0].told.endswith("It is enough")


def test_few_answers_make_a_wider_range_than_many() -> None:
    few, many = Spread(10, 100.0, 5.0).mean_of(1000), Spread(4000, 100.0, 5.0).mean_of(1000)
    assert few.high - few.low > many.high - many.low
