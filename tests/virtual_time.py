"""An event loop whose clock jumps to the next timer: hours of pacing in no time, and without a sleep."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class VirtualTime(asyncio.SelectorEventLoop):
    """Its time begins at 0 and moves only while nothing else is to be done."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Returns seconds since the loop was made."""
        return self._jumping.now if hasattr(self, "_jumping") else 0.0


class _Jumping(selectors.DefaultSelector):
    """A selector that does not wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is not None:
            self.now += timeout
        if not found and timeout is None:
            raise AssertionError("nothing is left to do, and something still waits")
        return found


def run(work: Coroutine[Any, Any, Result]) -> Result:  # Any: what a coroutine is sent is of no concern
    """Runs a coroutine in virtual time."""
    loop = VirtualTime()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
