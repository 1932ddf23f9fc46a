"""A provider sends a request in its turn: made ready before, sent once it has come, and not at all without it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faults_house import MAKERS, Api, serving
from oreline.llm.opening import open_provider
from oreline.llm.providers import CallFailed, NoTurn, Reply, exchanges
from oreline.llm.providers.protocol import AT_ONCE
from oreline.recipe.settings import Llm
from providers_house import request_of
from virtual_time import run


@dataclass
class Noted:
    """A turn that notes what the server had been asked when it began and ended; `refusals` times it does not come."""

    api: Api
    refusals: int = 0
    waits: float = 0.0
    begun: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    async def begin(self) -> None:
        self.begun.append(self.api.server.calls.total())
        await asyncio.sleep(self.waits)
        if len(self.begun) <= self.refusals:
            raise NoTurn("not now")

    def end(self) -> None:
        self.ended.append(self.api.server.calls.total())


def sent(api: Api, turns: Sequence[Noted], timeout: float = 30.0) -> list[Reply | CallFailed]:
    """Sends a request in each turn, one after the other."""
    settings = {"model": "gemini-3.5-flash-lite", "base_url": api.server.url, "server": "local", "timeout": timeout}
    llm = Llm.model_validate({**settings, **api.settings})

    async def one_by_one() -> list[Reply | CallFailed]:
        provider = open_provider(llm)
        found: list[Reply | CallFailed] = []
        for turn in turns:
            try:
                found.append(await provider.generate(request_of(llm), turn))
            except CallFailed as failure:
                found.append(failure)
        await provider.close()
        return found

    return asyncio.run(one_by_one())


@pytest.mark.parametrize("name", MAKERS)
def test_a_request_is_sent_once_its_turn_has_come_and_the_turn_ends_with_the_answer(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as api:
        turn = Noted(api)
        (found,) = sent(api, [turn])
    assert isinstance(found, Reply)
    assert (turn.begun, turn.ended) == ([0], [1])


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_is_sent_without_a_turn_and_the_next_time_it_is(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as api:
        turn = Noted(api, refusals=1)
        refused, found = sent(api, [turn, turn])
        assert api.server.calls.total() == 1
    assert isinstance(refused, CallFailed)
    assert isinstance(found, Reply)
    assert (turn.begun, turn.ended) == ([0, 0], [1])


@pytest.mark.parametrize("name", MAKERS)
def test_the_time_of_a_call_begins_with_its_turn(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as api:
        (found,) = sent(api, [Noted(api, waits=1.5)], timeout=1.0)
    assert isinstance(found, Reply)


@pytest.mark.parametrize("name", MAKERS)
def test_a_refused_call_keeps_its_turn_until_it_is_known_what_that_means(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as api:
        api.server.fault("rate", delay=5.0)
        turn = Noted(api)
        (found,) = sent(api, [turn])
    assert isinstance(found, CallFailed)
    assert (found.kind, found.retry_after) == ("rate", 5.0)
    assert (turn.begun, turn.ended) == ([0], [])


def test_an_answer_that_has_come_whole_is_not_lost_to_the_time_limit() -> None:
    async def answered_in_time() -> str:
        async with exchanges.exchange(AT_ONCE, 1.0):
            await exchanges.begin()
            await asyncio.sleep(0.9)
            await exchanges.end()
            await asyncio.sleep(0.9)
            return "the answer"

    assert run(answered_in_time()) == "the answer"


def test_what_is_sent_again_after_a_redirect_gets_no_time_of_its_own() -> None:
    async def sent_twice() -> None:
        async with exchanges.exchange(AT_ONCE, 1.0):
            await exchanges.begin()
            await asyncio.sleep(0.9)
            await exchanges.begin()
            await asyncio.sleep(0.9)

    with pytest.raises(TimeoutError):
        run(sent_twice())
