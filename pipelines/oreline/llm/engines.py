"""The one engine of a process for a stage's model, shared by all that call it there."""

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from oreline.llm.accounts import Account
from oreline.llm.engine import Engine


@dataclass
class _Held:
    engine: Engine
    holders: int = 0


@dataclass
class Engines:
    """Engines by name with the number of their holders; the last one who releases an engine closes it.

    The account of a name outlives its engines, so that what a process has spent is its own also after Beam has taken
    all DoFns down in mid-run and set others up.
    """

    _held: dict[str, _Held] = field(default_factory=dict)
    _accounts: dict[str, Account] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, name: str, make: Callable[[Account | None], Engine]) -> Engine:
        """Returns the engine of that name; if nobody holds it, `make` makes it, given the account of the last one."""
        with self._lock:
            if not self._held:
                _let_be()
            if name not in self._held:
                engine = make(self._accounts.get(name))
                self._held[name] = _Held(engine)
                self._accounts[name] = engine.account
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
            try:
                held.engine.close()
            finally:
                if not self._held:
                    gc.unfreeze()


def _let_be() -> None:
    """Takes what is there, libraries above all, out of the reach of Python's collector of cycles.

    Going through a million objects takes it a tenth of a second, during which no answer is taken and no request sent.
    """
    gc.freeze()


PROCESS_ENGINES = Engines()
"""State of the process, on purpose: Beam gives a process several copies of a DoFn, and window and budget are one."""
