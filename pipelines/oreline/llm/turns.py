"""The turn of a call at its model: it waits for it with its request ready, and gives its place away once answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from oreline.llm.pacing import Pace, Permit
from oreline.llm.providers import NoTurn
from oreline.llm.window import Ending

FRESH_SECONDS = 60.0
"""A request that waited longer for its turn is made ready again: Google's tokens last at least four minutes more."""


@dataclass
class CallTurn:
    """A call's permit, once its turn has come; `held` is how many seconds it waited. See `providers.Turn`.

    It is `refused` if the pace was closed first or the call is not wanted any more. It is `stale` if it waited so long
    that the request must be made ready again, for which it has its permit already.
    """

    pace: Pace
    tokens: int
    wanted: Callable[[], bool]
    held: float = field(default=0.0, init=False)
    refused: bool = field(default=False, init=False)
    stale: bool = field(default=False, init=False)
    _permit: Permit | None = field(default=None, init=False)
    _begun: float = field(default=0.0, init=False)
    _ended: float | None = field(default=None, init=False)

    async def begin(self) -> None:
        """Waits for the turn; raises NoTurn if it is refused or stale."""
        loop = asyncio.get_running_loop()
        waiting = loop.time()
        if self._permit is None:
            self._permit = await self.pace.enter(self.tokens, self.wanted)
            waited = loop.time() - waiting
            self.held += waited
            self.refused = self._permit is None
            self.stale = not self.refused and waited > FRESH_SECONDS
            if self.refused or self.stale:
                raise NoTurn("the request was not sent")
        self._begun = loop.time()

    def end(self) -> None:
        """Gives the place in the window to another call."""
        if self._permit is not None and self._ended is None:
            self._ended = asyncio.get_running_loop().time()
            self.pace.free(self._permit)

    def leave(self, ending: Ending, tokens: int | None) -> None:
        """Gives the permit back, if there was one, with the tokens that the call took, None if that is not known."""
        if self._permit is not None:
            self.pace.leave(self._permit, ending, tokens)

    @property
    def seconds(self) -> float:
        """How long the turn took, until now if it has not ended."""
        ended = asyncio.get_running_loop().time() if self._ended is None else self._ended
        return ended - self._begun
