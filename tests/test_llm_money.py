"""Prices, budgets and the meter: what is not known is said, and nothing is overshot."""

import json
from datetime import date
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.errors import CallError
from oreline.llm.budget import Budget, Meter, effective_budget
from oreline.llm.opening import problems
from oreline.llm.prices import price, price_of, retirement, retirements
from oreline.llm.requests import Answer, Request
from oreline.recipe.settings import Llm, TokenPrice

KNOWN = Llm(model="gemini-3.5-flash-lite")
KNOWN_INPUT = 0.30
UNKNOWN = Llm(model="gemini-unheard-of")


def request(prompt: str) -> Request:
    return Request("00" * 32, "test/words", 1, "m", None, prompt, "{}", "{}", 0, [], "null")


def test_a_price_is_that_of_the_day() -> None:
    before, after = (price("gemini", "gemini-3.8-flash", date(year, 6, 1)) for year in (2026, 2027))
    assert before is not None
    assert after is not None
    assert (after.rates.input, after.rates.output) == (2 * before.rates.input, 2 * before.rates.output)
    assert price("gemini", "models/gemini-3.8-flash", date(2026, 6, 1)) == before
    assert price("gemini", "gemini-unheard-of") is None


def test_dollars_count_prompt_cached_and_output_tokens() -> None:
    found = price("gemini", "gemini-3.5-flash-lite", date(2026, 11, 20))
    assert found is not None
    assert found.dollars(1_000_000, 1_000_000) == pytest.approx(2.80)
    assert found.dollars(1_000_000, 0, cached_tokens=1_000_000) == pytest.approx(0.03)


def test_every_price_is_dated_sourced_and_sensible() -> None:
    body = json.loads(files("oreline.llm").joinpath("prices.json").read_text(encoding="utf-8"))
    assert date.fromisoformat(body["date"])
    for entry in body["prices"]:
        assert entry["source"] in body["sources"], entry
        assert entry["from"] is None or date.fromisoformat(entry["from"])
        assert 0 < (entry["cached"] or entry["input"]) <= entry["input"] < entry["output"], entry
        assert entry["batch"] is None or 0 < entry["batch"] < 1, entry
        assert price(entry["provider"], entry["model"]) is not None
        assert entry["model"] in body["thinking"][entry["provider"]], entry


def test_a_call_with_a_long_prompt_costs_the_long_prices_as_a_whole() -> None:
    found = price("gemini", "gemini-3.1-pro-preview", date(2026, 11, 20))
    assert found is not None
    assert found.dollars(200_000, 1_000_000) == pytest.approx(0.4 + 12.0)
    assert found.dollars(200_001, 1_000_000) == pytest.approx(0.800004 + 18.0)


def test_a_retired_model_costs_what_its_successor_does() -> None:
    before, after = (price("gemini", "gemini-2.5-pro", date(2026, month, day)) for month, day in ((11, 30), (12, 1)))
    assert before is not None
    assert (before.rates.input, before.rates.output) == (1.25, 10.0)
    assert after == price("gemini", "gemini-3.8-flash", date(2026, 12, 1))


def test_a_retired_model_is_warned_about_by_name_with_its_successor() -> None:
    found = retirement("gemini", "models/gemini-2.5-flash")
    assert found is not None
    assert found.warning(date(2026, 11, 20)) == (
        "gemini-2.5-flash will be retired on 2026-12-01; from then gemini-3.5-flash-lite answers in its place, "
        "at its own price: set llm.model to gemini-3.5-flash-lite"
    )
    assert "is retired since 2026-12-01" in found.warning(date(2026, 12, 1))
    flash = Llm(model="gemini-2.5-flash")
    assert len(retirements([KNOWN, flash])) == 1
    assert retirements([flash.model_copy(update={"base_url": "http://localhost:1", "server": "local"})]) == []


def test_the_recipe_may_state_the_price() -> None:
    own = Llm(provider="openai", model="qwen", base_url="http://localhost:1", server="mine")
    assert price_of(own) is None
    free = own.model_copy(update={"price": TokenPrice(input=0.0, output=0.0)})
    assert effective_budget(free).cost(0, 1_000_000, 1_000_000) == 0.0
    stated = price_of(KNOWN.model_copy(update={"price": TokenPrice(input=1.0, output=2.0, batch=0.5)}))
    assert stated is not None
    assert stated.dollars(1_000_000, 1_000_000, cached_tokens=500_000) == pytest.approx(3.0)
    assert "llm.price" in str(stated)


def test_a_server_of_ones_own_is_not_charged_as_openai() -> None:
    assert price_of(Llm(provider="openai", model="gpt-6-luna")) is not None
    assert price_of(Llm(provider="openai", model="gpt-6-luna", base_url="http://localhost:1", server="mine")) is None


@pytest.mark.parametrize(("dollars", "told"), [(1.0, "1 dollar"), (0.5, "0.5 dollars"), (2.0, "2 dollars")])
def test_one_dollar_is_no_dollars(dollars: float, told: str) -> None:
    assert str(effective_budget(Llm(model="gemini-3.5-flash-lite", budget_usd=dollars))) == told


def test_each_model_of_a_section_is_charged_its_own_price() -> None:
    section = {"model": "gemini-3.5-flash-lite", "further_models": [{"model": "gemini-3.8-flash"}]}
    budget = effective_budget(Llm.model_validate(section))
    assert str(budget) == "5 dollars"
    first, second = (budget.cost(member, 1_000_000, 0) for member in (0, 1))
    assert first == pytest.approx(KNOWN_INPUT)
    assert second > first


def test_one_unknown_price_among_several_is_named() -> None:
    section = Llm.model_validate({"model": "gemini-3.5-flash-lite", "further_models": [{"model": "gemini-unheard-of"}]})
    with pytest.raises(CallError, match=r"the price of gemini gemini-unheard-of is not known; set llm\.budget_tokens"):
        effective_budget(section)
    limited = effective_budget(section.model_copy(update={"budget_tokens": 1000}))
    assert (limited.tokens, limited.cost(1, 1000, 1000)) == (1000, 0.0)


def test_the_default_budget_is_five_dollars() -> None:
    assert effective_budget(KNOWN).dollars == 5.0
    assert str(effective_budget(KNOWN)) == "5 dollars"
    assert effective_budget(KNOWN.model_copy(update={"budget_tokens": 1000})).dollars is None


def test_an_unknown_price_needs_budget_tokens() -> None:
    with pytest.raises(CallError, match=r"gemini-unheard-of is not known; set llm\.budget_tokens"):
        effective_budget(UNKNOWN)
    with pytest.raises(CallError, match=r"llm\.budget_usd cannot be kept"):
        effective_budget(UNKNOWN.model_copy(update={"budget_usd": 1.0}))
    assert effective_budget(UNKNOWN.model_copy(update={"budget_tokens": 1000})).tokens == 1000


def test_workers_share_a_budget() -> None:
    share = Budget(5.0, 1001).divided(2)
    assert (share.dollars, share.tokens) == (2.5, 500)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=200), st.integers(0, 50)), max_size=40), st.integers(0, 2000))
def test_what_fits_is_never_overshot(calls: list[tuple[str, int]], limit: int) -> None:
    meter = Meter(Budget(None, limit))
    for prompt, output in calls:
        asked = request(prompt)
        reservation = meter.reservation(asked, 50)
        if not meter.fits(reservation):
            continue
        meter.reserve(reservation)
        prompt_tokens = len(prompt.encode()) // 2
        meter.release(reservation)
        meter.spend(Answer("00" * 32, 0, "ok", "", prompt_tokens=prompt_tokens, output_tokens=output), asked)
    assert meter.tokens <= limit
    assert meter.idle


def test_where_a_server_states_no_tokens_the_most_are_counted() -> None:
    meter = Meter(Budget(None, 1000))
    asked = request("word " * 100)
    meter.spend(Answer("00" * 32, 0, "ok", "an answer " * 10), asked)
    assert meter.tokens >= 250 + 50


def test_the_preflight_hears_of_every_problem_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    found = problems(UNKNOWN.model_copy(update={"base_url": "http://localhost:1"}))
    assert [sentence.split(" ")[0] for sentence in found] == ["no", "llm.base_url", "the"]
    monkeypatch.setenv("GOOGLE_API_KEY", "any")
    assert problems(KNOWN) == []
