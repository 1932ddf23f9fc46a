"""The window of calls in flight: it closes under overload, finds what a provider bears, and opens again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.llm.window import Ending, Window


def play(window: Window, rounds: int, capacity: int, kind: Ending = "refused") -> list[int]:
    """Sends rounds of as many calls as may be in flight; those beyond `capacity` end badly. Returns the limits."""
    limits = []
    for _ in range(rounds):
        number = window.limit
        for _ in range(number):
            window.begin()
        for place in range(number):
            window.end("answered" if place < capacity else kind)
        limits.append(window.limit)
    return limits


def test_it_begins_fully_open_and_stays_so_while_all_is_well() -> None:
    window = Window(64)
    assert window.limit == 64
    assert set(play(window, 50, capacity=1000)) == {64}


def test_a_round_in_which_all_fails_halves_it() -> None:
    window = Window(64)
    assert play(window, 9, capacity=0) == [32, 16, 8, 4, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("capacity", [3, 10, 20, 50])
def test_it_converges_to_what_the_provider_bears(capacity: int) -> None:
    window = Window(64)
    settled = play(window, 60, capacity)[20:]
    assert min(settled) >= capacity - 1
    assert max(settled) <= capacity + 3


def test_refusals_become_rare_once_it_has_converged() -> None:
    window = Window(64)
    play(window, 30, capacity=20)
    refused = sum(max(0, limit - 20) for limit in play(window, 100, capacity=20))
    assert refused / (100 * 20) <= 0.1


@pytest.mark.parametrize("kind", ["refused", "faulty"])
def test_it_opens_again_after_faults(kind: Ending) -> None:
    window = Window(64)
    assert play(window, 10, capacity=0, kind=kind)[-1] == 1
    limits = play(window, 70, capacity=1000)
    assert limits == sorted(limits)
    assert limits[-1] == 64


def test_a_server_that_fails_now_and_then_is_not_overloaded() -> None:
    window = Window(64)
    for call in range(5_000):
        window.begin()
        window.end("faulty" if call % 10 == 0 else "answered")
    assert window.limit == 64


def test_a_call_that_says_nothing_of_load_changes_nothing() -> None:
    window = Window(4)
    for _ in range(20):
        window.begin()
        window.end("unrelated")
    assert (window.limit, window.in_flight) == (4, 0)


def test_a_window_without_room_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one call, found 0"):
        Window(0)


ENDINGS = st.sampled_from(["answered", "refused", "faulty", "unrelated"])


@settings(deadline=None)
@given(st.integers(1, 40), st.lists(st.tuples(st.booleans(), ENDINGS), max_size=300))
def test_its_limit_stays_between_one_and_the_most(most: int, steps: list[tuple[bool, Ending]]) -> None:
    window = Window(most)
    running = 0
    for begins, ending in steps:
        if begins and window.is_open:
            window.begin()
            running += 1
        elif running:
            window.end(ending)
            running -= 1
        assert 1 <= window.limit <= most
        assert window.in_flight == running <= most
