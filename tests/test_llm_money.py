"""Prices, budgets and the meter: what is not known is said, and nothing is overshot."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.errors import CallError
from oreline.llm.budget import Budget, Meter, effective_budget
from oreline.llm.opening import problems
from oreline.llm.prices import price
from oreline.llm.requests import Answer, Request
from oreline.recipe.settings import Llm

KNOWN = Llm(model="gemini-3.5-flash-lite")
UNKNOWN = Llm(model="gemini-unheard-of")


def request(prompt: str) -> Request:
    return Request("00" * 32, "test/words", 1, "m", None, prompt, "{}", "{}", 0, [], "null")


def test_a_price_is_that_of_the_day() -> None:
    before, after = (price("gemini", "gemini-3.8-flash", date(year, 6, 1)) for year in (2026, 2027))
    assert before is not None
    assert after is not None
    assert (after.input, after.output) == (2 * before.input, 2 * before.output)
    assert price("gemini", "models/gemini-3.8-flash", date(2026, 6, 1)) == before
    assert price("gemini", "gemini-unheard-of") is None


def test_dollars_count_prompt_cached_and_output_tokens() -> None:
    found = price("gemini", "gemini-3.5-flash-lite", date(2026, 11, 20))
    assert found is not None
    assert found.dollars(1_000_000, 1_000_000) == pytest.approx(2.80)
    assert found.dollars(1_000_000, 0, cached_tokens=1_000_000) == pytest.approx(0.03)


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
    share = Budget(5.0, 1001, None).divided(2)
    assert (share.dollars, share.tokens) == (2.5, 500)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=200), st.integers(0, 50)), max_size=40), st.integers(0, 2000))
def test_what_fits_is_never_overshot(calls: list[tuple[str, int]], limit: int) -> None:
    meter = Meter(Budget(None, limit, None))
    for prompt, output in calls:
        reservation = meter.reservation(request(prompt), 50)
        if not meter.fits(reservation):
            continue
        meter.reserve(reservation)
        prompt_tokens = len(prompt.encode()) // 2
        meter.release(reservation)
        meter.spend(Answer("00" * 32, 0, "ok", "", prompt_tokens=prompt_tokens, output_tokens=output))
    assert meter.tokens <= limit
    assert meter.idle


def test_the_preflight_hears_of_every_problem_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    found = problems(UNKNOWN.model_copy(update={"base_url": "http://localhost:1"}))
    assert [sentence.split(" ")[0] for sentence in found] == ["no", "llm.base_url", "the"]
    monkeypatch.setenv("GOOGLE_API_KEY", "any")
    assert problems(KNOWN) == []
