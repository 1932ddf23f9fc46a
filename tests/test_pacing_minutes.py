"""Limits per minute: no minute exceeds them, and nothing waits longer than it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.llm.minutes import MinuteLimit, Taken

GAPS = st.floats(0, 30, allow_nan=False)


def taken_by(limit: MinuteLimit, amounts: list[float], gaps: list[float]) -> list[Taken]:
    """Takes amounts one after the other, each as soon as it may be taken after a gap."""
    now, taken = 0.0, []
    for amount, gap in zip(amounts, gaps, strict=False):
        now += gap
        while (delay := limit.delay(amount, now)) > 0.0:
            now += delay
        taken.append(limit.take(amount, now))
    return taken


def busiest(taken: list[Taken]) -> float:
    """Returns the largest sum within any 60 seconds, the last moment left out."""
    return max(sum(each.amount for each in taken if first.time <= each.time < first.time + 60.0) for first in taken)


@settings(deadline=None)
@given(st.integers(1, 20), st.lists(GAPS, min_size=1, max_size=120))
def test_no_minute_holds_more_calls_than_the_limit(most: int, gaps: list[float]) -> None:
    taken = taken_by(MinuteLimit(most), [1.0] * len(gaps), gaps)
    assert busiest(taken) <= most


@settings(deadline=None)
@given(st.integers(100, 1000), st.lists(st.tuples(st.integers(1, 100).map(float), GAPS), min_size=1, max_size=120))
def test_no_minute_holds_more_tokens_than_the_limit(most: int, calls: list[tuple[float, float]]) -> None:
    taken = taken_by(MinuteLimit(most), [amount for amount, _ in calls], [gap for _, gap in calls])
    assert busiest(taken) <= most


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 500), GAPS), min_size=1, max_size=80))
def test_a_reservation_that_is_lowered_makes_room_and_never_too_much(calls: list[tuple[int, int, float]]) -> None:
    limit, now, taken = MinuteLimit(1000), 0.0, []
    for reserved, used, gap in calls:
        now += gap
        while (delay := limit.delay(reserved, now)) > 0.0:
            now += delay
        taken.append(limit.take(reserved, now))
        limit.correct(taken[-1], min(used, reserved))
    assert busiest(taken) <= 1000


def test_a_minutes_worth_is_let_through_at_once_and_the_rest_when_the_minute_is_over() -> None:
    times = [each.time for each in taken_by(MinuteLimit(3), [1.0] * 7, [0.0] * 7)]
    assert times == [0.0, 0.0, 0.0, 60.0, 60.0, 60.0, 120.0]


def test_nobody_waits_while_there_is_room() -> None:
    limit = MinuteLimit(100)
    assert limit.delay(60, 0.0) == 0.0
    first = limit.take(60, 0.0)
    assert limit.delay(60, 10.0) == 50.0
    limit.correct(first, 40)
    assert limit.delay(60, 10.0) == 0.0


@pytest.mark.parametrize("share", [0.25, 0.5, 2 / 3])
def test_a_share_below_one_call_a_minute_keeps_its_rate(share: float) -> None:
    times = [each.time for each in taken_by(MinuteLimit(share), [1.0] * 5, [0.0] * 5)]
    assert times == pytest.approx([60.0 / share * place for place in range(5)])


def test_a_call_larger_than_the_limit_goes_alone_and_pays_for_itself() -> None:
    limit = MinuteLimit(1000)
    taken = taken_by(limit, [2500.0, 100.0], [0.0, 0.0])
    assert [each.time for each in taken] == [0.0, 150.0]


def test_a_correction_that_comes_late_changes_nothing() -> None:
    limit = MinuteLimit(10)
    old = limit.take(10, 0.0)
    assert limit.delay(10, 60.0) == 0.0
    limit.correct(old, 3)
    assert limit.delay(10, 60.0) == 0.0
    limit.take(10, 60.0)
    assert limit.delay(1, 60.0) == 60.0


def test_a_limit_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="above 0"):
        MinuteLimit(0)
