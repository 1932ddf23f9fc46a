"""The exchange of a call over HTTP: from its request, ready to be sent, to the whole answer.

A call has its place among those in flight for the exchange alone. Its request is made before, its answer is read after,
so that the next request, which waits ready-made, goes out as soon as an answer has come.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from oreline.llm.providers.protocol import Turn

_PAUSES = 2
"""Rounds of the event loop for which an answer waits: in the first the next calls wake up, in the second they send."""


@dataclass
class _Exchange:
    """An exchange that has been prepared; `limit` ends it `seconds` after it began, `sent` or not."""

    turn: Turn
    limit: asyncio.Timeout
    seconds: float
    sent: bool = False


_CURRENT: ContextVar[_Exchange | None] = ContextVar("oreline-exchange", default=None)


@asynccontextmanager
async def exchange(turn: Turn, seconds: float) -> AsyncIterator[None]:
    """Lets the one exchange within it take its turn; raises TimeoutError after so many seconds without the wait."""
    async with asyncio.timeout(seconds) as limit:
        mark = _CURRENT.set(_Exchange(turn, limit, seconds))
        try:
            yield
        finally:
            _CURRENT.reset(mark)


async def begin() -> None:
    """Waits for the turn of the exchange, if this is one: called by the HTTP client, before it sends.

    It sends once more after a redirect, which is the same turn and gets no time of its own.
    """
    current = _CURRENT.get()
    if current is None or current.sent:
        return
    current.limit.reschedule(None)
    await current.turn.begin()
    current.sent = True
    current.limit.reschedule(asyncio.get_running_loop().time() + current.seconds)


async def end() -> None:
    """Ends the turn of the exchange, if this is one: called by the HTTP client once it has a whole answer."""
    current = _CURRENT.get()
    if current is None:
        return
    current.limit.reschedule(None)  # the answer has been paid for: it is not to be lost while it waits
    current.turn.end()
    for _ in range(_PAUSES):
        await asyncio.sleep(0)
