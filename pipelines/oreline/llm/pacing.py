"""The pace of the calls to one model: window, rates per minute, and the pauses that the provider asks for."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from oreline.llm.minutes import MinuteLimit, Taken
from oreline.llm.recent import Recent
from oreline.llm.window import Ending, Window
from oreline.recipe.settings import Llm


@dataclass(eq=False)
class Permit:
    """Leave for one call, to be given back when it has ended; `tokens` is what it reserved."""

    tokens: Taken | None
    in_flight: bool = True


@dataclass(frozen=True)
class _Waiting:
    """A call that waits for leave, as long as it is wanted."""

    tokens: int
    wanted: Callable[[], bool]
    future: "asyncio.Future[Permit | None]"


@dataclass
class Pace:
    """Lets calls begin in the order in which they come. For one event loop, whose clock it reads; make it anywhere.

    `requests` and `tokens` are limits per minute, None for none.
    """

    window: Window
    requests: MinuteLimit | None = None
    tokens: MinuteLimit | None = None
    _waiting: deque[_Waiting] = field(default_factory=deque, init=False)
    _paused_until: float = field(default=float("-inf"), init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    @classmethod
    def of(cls, llm: Llm) -> Self:
        """Returns the pace of one of `llm.workers` processes, which know nothing of each other.

        Each keeps its share of calls in flight, at least one, and of both rates, however small.
        """
        share = 1 / llm.workers
        return cls(
            Window(max(1, llm.concurrency // llm.workers)),
            None if llm.requests_per_minute is None else MinuteLimit(llm.requests_per_minute * share),
            None if llm.tokens_per_minute is None else MinuteLimit(llm.tokens_per_minute * share),
        )

    def remember(self, calls: Iterable[Recent], share: float, now: float) -> None:
        """Counts this process's share of calls that were made before, the oldest first; `now` is the loop's time."""
        for call in calls:
            if self.requests is not None:
                self.requests.remember(share, now - call.age)
            if self.tokens is not None:
                self.tokens.remember(share * call.tokens, now - call.age)

    @property
    def limited(self) -> bool:
        """Says whether there is a limit per minute."""
        return self.requests is not None or self.tokens is not None

    async def enter(self, tokens: int, wanted: Callable[[], bool]) -> Permit | None:
        """Waits until a call may begin that takes `tokens` at most.

        Returns None if the pace was closed first, or the call is not `wanted` any more (see `forget_unwanted`).
        """
        loop = asyncio.get_running_loop()
        if self._closed or not wanted():
            return None
        if not self._waiting and self.window.is_open and self._delay(tokens, loop.time()) <= 0.0:
            return self._permit(tokens, loop.time())
        future: asyncio.Future[Permit | None] = loop.create_future()
        self._waiting.append(_Waiting(tokens, wanted, future))
        self._serve()
        return await future

    def free(self, permit: Permit) -> None:
        """Gives a call's place in the window to another: its answer is there, what it says is not known yet."""
        permit.in_flight = False
        self.window.free()
        self._serve()

    def leave(self, permit: Permit, ending: Ending, tokens: int | None = None) -> None:
        """Takes a permit back, with the tokens that the call took, None if that is not known."""
        self.window.end(ending, in_flight=permit.in_flight)
        permit.in_flight = False
        if self.tokens is not None and permit.tokens is not None and tokens is not None:
            self.tokens.correct(permit.tokens, tokens)
        self._serve()

    def pause(self, seconds: float) -> None:
        """Lets no call begin for some time: the provider asked one of them to wait, and means all."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    def close(self) -> None:
        """Lets no call begin any more; those that wait are told so."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if not each.future.done():
                each.future.set_result(None)

    def forget_unwanted(self) -> None:
        """Sends away those who wait with a call that nobody wants any more: it would use up a limit per minute."""
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if each.wanted():
                self._waiting.append(each)
            elif not each.future.done():
                each.future.set_result(None)
        self._serve()

    def _serve(self) -> None:
        """Lets in whoever may begin, and comes back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting and self.window.is_open:
            first = self._waiting[0]
            delay = self._delay(first.tokens, loop.time())
            if delay > 0.0:
                self._timer = loop.call_later(delay, self._serve)
                return
            self._waiting.popleft()
            if not first.future.done():
                first.future.set_result(self._permit(first.tokens, loop.time()))

    def _delay(self, tokens: int, now: float) -> float:
        delay = self._paused_until - now
        if self.requests is not None:
            delay = max(delay, self.requests.delay(1, now))
        if self.tokens is not None:
            delay = max(delay, self.tokens.delay(tokens, now))
        return delay

    def _permit(self, tokens: int, now: float) -> Permit:
        if self.requests is not None:
            self.requests.take(1, now)
        self.window.begin()
        return Permit(None if self.tokens is None else self.tokens.take(tokens, now))
