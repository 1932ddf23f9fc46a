"""Says on a stream how far a long count has come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

_SECONDS = 3.0


@dataclass
class Telling:
    """Tells every few seconds how many requests were rendered; a quick count says nothing. `clock` gives seconds."""

    stream: TextIO
    clock: Callable[[], float]
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        self._told = self.clock()

    def __call__(self, rendered: int) -> None:
        """Takes how many requests of a stage were rendered by now."""
        now = self.clock()
        if now - self._told >= _SECONDS:
            self._told = now
            self.stream.write(f"plan: {rendered:,} requests rendered\n")
            self.stream.flush()
