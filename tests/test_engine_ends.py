"""The end of an engine: connections are closed and its threads end, also where the journal cannot hold an answer."""

import asyncio
import threading
from pathlib import Path

import pytest

from oreline.llm.accounts import Account
from oreline.llm.budget import Budget
from oreline.llm.engine import Engine, Outcome
from oreline.llm.providers import Reply
from oreline.llm.providers.protocol import AT_ONCE, Turn
from oreline.llm.requests import Request
from oreline.llm.spending import Spending
from oreline.recipe.settings import Llm


class Provider:
    """Answers at once; notes that it was closed."""

    closed = False

    async def generate(self, _: Request, turn: Turn = AT_ONCE) -> Reply:
        await turn.begin()
        return Reply("ok", "{}", prompt_tokens=1, output_tokens=1)

    async def count_tokens(self, _: Request) -> int | None:
        return None

    async def close(self) -> None:
        self.closed = True


class Waiting:
    """Asks, and waits for the outcome."""

    wants = True

    def __init__(self) -> None:
        self.told = threading.Event()
        self.outcome: Outcome | None = None

    def take(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.told.set()


@pytest.mark.parametrize("prompt_id", ["test/words", "a lone \ud800 cannot be stored"])
def test_an_engine_ends_whole_whatever_the_journal_makes_of_its_answers(tmp_path: Path, prompt_id: str) -> None:
    provider, asker = Provider(), Waiting()
    account = Account.opened(Budget(None, 1_000_000), Spending())
    engine = Engine(str(tmp_path), "judge", Llm(model="m"), open_provider=lambda _: provider, account=account)
    request = Request("00" * 32, prompt_id, 1, "m", None, "words", "{}", "{}", 0, [], "null")
    engine.submit(request, lambda _, __: True, {}, asker)
    assert asker.told.wait(10.0)
    if prompt_id == "test/words":
        engine.close()
    else:
        with pytest.raises(UnicodeEncodeError):
            engine.close()
    assert provider.closed
    assert not [each for each in threading.enumerate() if each.name.startswith(("oreline-llm", "oreline-journal"))]


class Cancelling(Provider):
    """A client library that cancels a call of its own accord."""

    async def generate(self, _: Request, turn: Turn = AT_ONCE) -> Reply:
        await turn.begin()
        raise asyncio.CancelledError


def test_a_call_that_is_cancelled_by_nobody_here_is_told_as_an_error(tmp_path: Path) -> None:
    account = Account.opened(Budget(None, 1_000_000), Spending())
    engine = Engine(str(tmp_path), "judge", Llm(model="m"), open_provider=lambda _: Cancelling(), account=account)
    asker = Waiting()
    request = Request("00" * 32, "test/words", 1, "m", None, "words", "{}", "{}", 0, [], "null")
    engine.submit(request, lambda _, __: True, {}, asker)
    assert asker.told.wait(10.0)
    engine.close()
    assert asker.outcome is not None
    assert "cancelled" in str(asker.outcome.error)


class Held(Provider):
    """Keeps the engine's loop busy until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    async def generate(self, request: Request, turn: Turn = AT_ONCE) -> Reply:
        assert self.go.wait(10.0)
        return await super().generate(request, turn)


def test_every_request_that_was_submitted_before_the_end_is_told_its_outcome(tmp_path: Path) -> None:
    provider, askers = Held(), [Waiting() for _ in range(2_000)]
    account = Account.opened(Budget(None, 1_000_000), Spending())
    engine = Engine(str(tmp_path), "judge", Llm(model="m"), open_provider=lambda _: provider, account=account)
    for number, asker in enumerate(askers):
        request = Request(f"{number:064x}", "test/words", 1, "m", None, "words", "{}", "{}", 0, [], "null")
        engine.submit(request, lambda _, __: True, {}, asker)
    provider.go.set()
    engine.close()
    assert all(asker.told.is_set() for asker in askers)
