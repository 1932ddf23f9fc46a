"""The pace of calls to one model, in virtual time: order, rates, pauses, retries, what a provider's 429 means."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from oreline.llm.calls import Calls, Timed
from oreline.llm.estimates import TokenEstimate
from oreline.llm.minutes import MinuteLimit
from oreline.llm.pacing import Pace
from oreline.llm.providers import CallFailed, NoTurn, Reply
from oreline.llm.providers.protocol import AT_ONCE, Turn
from oreline.llm.recent import Recent
from oreline.llm.requests import Request
from oreline.llm.retrying import Retry
from oreline.llm.window import Window
from oreline.recipe.settings import Llm
from virtual_time import run

RETRY = Retry(attempts=4, total=100.0, first=0.5, longest=4.0)
Behaviour = Callable[["Provider", str], CallFailed | None]


def request(number: int) -> Request:
    key = f"{number:064x}"
    return Request(key, "test/words", 1, "m", None, "four words are asked", "{}", "{}", 0, [], "null")


@dataclass
class Provider:
    """A provider of its own: answers after a second, or fails as its behaviour says; notes when it was called.

    `made` counts how often a request was made ready; reading an answer takes `reading` seconds.
    """

    behaviour: Behaviour
    seconds: float = 1.0
    reading: float = 0.0
    made: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    async def generate(self, asked: Request, turn: Turn = AT_ONCE) -> Reply:
        self.made[asked.key] += 1
        try:
            await turn.begin()
        except NoTurn as error:
            raise CallFailed("transient", str(error)) from error
        self.times.append(asyncio.get_running_loop().time())
        self.calls[asked.key] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        failure = self.behaviour(self, asked.key)
        await asyncio.sleep(0.01 if failure else self.seconds)
        self.in_flight -= 1
        if failure is not None:
            raise failure
        self.answers += 1
        turn.end()
        await asyncio.sleep(self.reading)
        return Reply("ok", "{}", prompt_tokens=5, output_tokens=95)

    async def count_tokens(self, _: Request) -> int | None:
        return None

    async def close(self) -> None:
        return None


def well(_: Provider, __: str) -> None:
    return


def calls_of(provider: Provider, pace: Pace, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Calls:
    return Calls("m", provider, pace, RETRY, TokenEstimate(100), sleep)


async def ask_all(calls: Calls, number: int) -> float:
    """Asks everything, with twice as many requests on their way as the window holds; returns the seconds it took."""
    waiting = iter(range(number))

    async def work() -> None:
        for each in waiting:
            assert await calls.make(request(each)) is not None

    await asyncio.gather(*(work() for _ in range(2 * calls.pace.window.most)))
    return asyncio.get_running_loop().time()


def test_no_more_calls_are_in_flight_than_the_window_holds() -> None:
    provider = Provider(well)
    seconds = run(ask_all(calls_of(provider, Pace(Window(8))), 80))
    assert provider.most_in_flight == 8
    assert seconds == pytest.approx(10.0, abs=0.1)


def test_a_place_is_given_on_before_the_answer_is_read() -> None:
    provider = Provider(well, reading=0.9)
    seconds = run(ask_all(calls_of(provider, Pace(Window(8))), 80))
    assert provider.most_in_flight == 8
    assert seconds == pytest.approx(10.0 + 0.9, abs=0.1)


def test_a_latency_is_that_of_the_call_without_the_wait_for_its_turn_or_the_reading() -> None:
    calls = calls_of(Provider(well, reading=5.0), Pace(Window(1)))

    async def ask() -> list[Timed | None]:
        return await asyncio.gather(*(calls.make(request(each)) for each in range(3)))

    assert [each and each.latency for each in run(ask())] == [pytest.approx(1.0)] * 3


def test_a_failure_keeps_its_place_until_it_is_known_what_it_means() -> None:
    def refused(provider: Provider, _: str) -> CallFailed | None:
        return CallFailed("rate", "429", 30.0) if len(provider.times) == 1 else None

    provider = Provider(refused)
    run(ask_all(calls_of(provider, Pace(Window(1))), 3))
    assert provider.times[0] == 0.0
    assert min(provider.times[1:]) >= 30.0


def test_a_request_that_waited_long_for_its_turn_is_made_ready_again_and_sent_once() -> None:
    provider = Provider(well)
    run(ask_all(calls_of(provider, Pace(Window(4), MinuteLimit(1))), 4))
    assert [provider.made[request(each).key] for each in range(4)] == [1, 1, 2, 2]
    assert set(provider.calls.values()) == {1}
    assert provider.times == [pytest.approx(60.0 * each) for each in range(4)]


def test_a_request_that_waited_long_and_is_not_sent_is_not_made_ready_again() -> None:
    provider = Provider(well)
    calls = calls_of(provider, Pace(Window(4), MinuteLimit(1)))

    async def ask_and_stop() -> list[Timed | None]:
        asked = asyncio.gather(*(calls.make(request(each)) for each in range(4)))
        await asyncio.sleep(100.0)
        calls.pace.close()
        return await asked

    assert [each is None for each in run(ask_and_stop())] == [False, False, True, True]
    assert [provider.made[request(each).key] for each in range(4)] == [1, 1, 1, 1]


def test_calls_begin_in_the_order_in_which_they_came() -> None:
    order: list[str] = []

    def noting(_: Provider, key: str) -> None:
        order.append(key)

    run(ask_all(calls_of(Provider(noting), Pace(Window(3))), 30))
    assert order == sorted(order)


def test_requests_per_minute_hold_in_every_minute() -> None:
    provider = Provider(well)
    seconds = run(ask_all(calls_of(provider, Pace(Window(50), MinuteLimit(30))), 100))
    for first in provider.times:
        assert sum(first <= each < first + 60.0 for each in provider.times) <= 30
    assert seconds == pytest.approx(181.0, abs=0.5)


def test_tokens_per_minute_hold_and_what_is_reserved_is_corrected_by_what_was_used() -> None:
    provider = Provider(well)
    seconds = run(ask_all(calls_of(provider, Pace(Window(50), None, MinuteLimit(1000))), 40))
    for first in provider.times:
        assert sum(100 for each in provider.times if first <= each < first + 60.0) <= 1000
    assert seconds < 4 * 60 + 5


def test_a_429_with_a_delay_pauses_everybody() -> None:
    def once(provider: Provider, _: str) -> CallFailed | None:
        return CallFailed("rate", "429", 30.0) if len(provider.times) == 1 else None

    provider = Provider(once)
    run(ask_all(calls_of(provider, Pace(Window(2))), 10))
    begun_within = [each for each in provider.times if 1.0 < each < 30.0]
    assert begun_within == []
    assert max(provider.calls.values()) == 2


def test_a_wait_that_the_provider_asked_for_does_not_count_against_a_calls_time() -> None:
    def thrice(provider: Provider, _: str) -> CallFailed | None:
        return CallFailed("rate", "429", 90.0) if len(provider.times) <= 3 else None

    provider = Provider(thrice)
    seconds = run(ask_all(calls_of(provider, Pace(Window(1))), 1))
    assert seconds > 3 * 90.0 > RETRY.total
    assert provider.answers == 1


def test_a_wait_longer_than_anyone_would_wait_is_a_quota_that_is_used_up() -> None:
    provider = Provider(lambda *_: CallFailed("rate", "429 used up", 4_000.0))
    with pytest.raises(CallFailed, match=r"429 used up; it asks to be left alone for 4,000 seconds") as caught:
        run(ask_all(calls_of(provider, Pace(Window(1))), 1))
    assert caught.value.kind == "quota"
    assert len(provider.times) == 1


@pytest.mark.parametrize(("kind", "tries"), [("transient", 4), ("rate", 4), ("request", 1), ("key", 1), ("quota", 1)])
def test_only_what_may_pass_is_tried_again(kind: str, tries: int) -> None:
    provider = Provider(lambda *_: CallFailed(kind, "no"))  # type: ignore[arg-type]  # a str where a literal is due
    with pytest.raises(CallFailed, match="no"):
        run(ask_all(calls_of(provider, Pace(Window(1))), 1))
    assert len(provider.times) == tries


def test_a_call_is_not_tried_again_beyond_its_time() -> None:
    provider = Provider(lambda *_: CallFailed("transient", "503"))
    calls = Calls("m", provider, Pace(Window(1)), Retry(attempts=99, total=20.0), TokenEstimate(100), asyncio.sleep)
    with pytest.raises(CallFailed, match="503"):
        run(ask_all(calls, 1))
    assert len(provider.times) > 2
    assert provider.times[-1] < 20.0


def test_an_unlucky_request_keeps_its_place_while_others_are_answered() -> None:
    def unlucky(provider: Provider, key: str) -> CallFailed | None:
        return CallFailed("rate", "429") if key == request(0).key and provider.answers < 60 else None

    provider = Provider(unlucky)
    run(ask_all(calls_of(provider, Pace(Window(2))), 61))
    assert provider.calls[request(0).key] > RETRY.attempts
    assert provider.answers == 61


def test_a_provider_that_bears_less_is_found_out_and_all_is_answered() -> None:
    def crowded(provider: Provider, _: str) -> CallFailed | None:
        return CallFailed("rate", "429") if provider.in_flight > 10 else None

    provider = Provider(crowded)
    seconds = run(ask_all(calls_of(provider, Pace(Window(64))), 1000))
    refused = len(provider.times) - 1000
    assert provider.answers == 1000
    assert seconds < 1.3 * 1000 / 10
    assert refused < 0.4 * 1000


def test_an_outage_closes_the_window_and_it_opens_again() -> None:
    def outage(_: Provider, __: str) -> CallFailed | None:
        now = asyncio.get_running_loop().time()
        return CallFailed("transient", "503") if 20.0 <= now < 28.0 else None

    provider = Provider(outage)
    pace = Pace(Window(16))
    calls = Calls("m", provider, pace, Retry(attempts=50, total=500.0), TokenEstimate(100), asyncio.sleep)
    run(ask_all(calls, 1600))
    assert provider.answers == 1600
    assert pace.window.limit == 16
    during = sum(20.5 <= each < 28.0 for each in provider.times)
    assert during < 16 * 8


def test_what_waits_is_let_go_when_the_pace_is_closed() -> None:
    async def close_early() -> list[object]:
        pace = Pace(Window(1))
        calls = calls_of(Provider(well), pace)
        waiting = [asyncio.ensure_future(calls.make(request(each))) for each in range(5)]
        await asyncio.sleep(0.5)
        pace.close()
        return [await each for each in waiting]

    replies = run(close_early())
    assert replies[0] is not None
    assert replies[1:] == [None] * 4


def test_calls_of_before_count_against_both_limits_until_their_minute_is_over() -> None:
    async def first_and_rest(pace: Pace) -> list[float]:
        loop = asyncio.get_running_loop()
        pace.remember([Recent(50.0, 400), Recent(20.0, 400)], 1.0, loop.time())
        provider = Provider(well)
        calls = calls_of(provider, pace)
        await asyncio.gather(*(calls.make(request(each)) for each in range(2)))
        return provider.times

    assert run(first_and_rest(Pace(Window(4), MinuteLimit(2)))) == pytest.approx([10.0, 40.0])
    assert run(first_and_rest(Pace(Window(4), None, MinuteLimit(900)))) == pytest.approx([10.0, 10.0])


def test_a_worker_has_its_share_of_everything() -> None:
    llm = Llm(model="m", concurrency=10, requests_per_minute=2, tokens_per_minute=1000, workers=4)
    pace = Pace.of(llm)
    assert pace.window.most == 2
    assert pace.requests is not None
    assert pace.tokens is not None
    assert (pace.requests.most, pace.tokens.most) == (0.5, 250.0)
    assert Pace.of(llm.model_copy(update={"workers": 40})).window.most == 1
