"""The one engine of a process for a stage's model, shared by all that call it there."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from oreline.llm.engine import Engine


@dataclass
class _Held:
    engine: Engine
    holders: int = 0


@dataclass
class Engines:
    """Engines by name with the number of their holders; the last one who releases an engine closes it."""

    _held: dict[str, _Held] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, name: str, make: Callable[[], Engine]) -> Engine:
        """Returns the engine of that name, made if nobody holds it."""
        with self._lock:
            if name not in self._held:
                self._held[name] = _Held(make())
            held = self._held[name]
            held.holders += 1
            return held.engine

    def release(self, name: str) -> None:
        """Gives an engine back; raises KeyError if nobody holds it."""
        with self._lock:
            held = self._held[name]
            held.holders -= 1
            if held.holders:
                return
            del self._held[name]
            # Whoever makes the next engine of that name reads what this one still has to journal.
            held.engine.close()


PROCESS_ENGINES = Engines()
"""State of the process, on purpose: Beam gives a process several copies of a DoFn, and window and budget are one."""
