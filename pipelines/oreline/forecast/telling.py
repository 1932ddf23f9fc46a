"""Says on a stream what a plan is doing where that takes long, and how far a long count has come."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Timer
from typing import TextIO

During = Callable[[str], AbstractContextManager[None]]
"""Takes what is done within the context."""

_SECONDS = 3.0


def untold(step: str) -> AbstractContextManager[None]:
    """Tells nothing: for callers without a stream."""
    del step  # every `During` takes one
    return nullcontext()


@dataclass
class Telling:
    """Tells every few seconds how many requests were rendered; a quick count says nothing. `clock` gives seconds.

    A step that takes longer than `patience` seconds is told while it is done.
    """

    stream: TextIO
    clock: Callable[[], float]
    patience: float = 2.0
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        self._told = self.clock()

    def __call__(self, rendered: int) -> None:
        """Takes how many requests of a stage were rendered by now."""
        now = self.clock()
        if now - self._told >= _SECONDS:
            self._told = now
            self._tell(f"{rendered:,} requests rendered")

    @contextmanager
    def during(self, step: str) -> Iterator[None]:
        """Tells what is done within the context, once, if it takes long."""
        timer = Timer(self.patience, self._tell, (step,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _tell(self, what: str) -> None:
        self.stream.write(f"plan: {what}\n")
        self.stream.flush()


_BY_PROVIDER = re.compile(r"prompts as the provider counts ([\d,]+) of them")


def at_once(basis: Iterable[str]) -> tuple[str, ...]:
    """Returns what a forecast rests on, each but once; prompts that the provider counted are added up."""
    found: dict[str, str] = {}
    counted = 0
    for each in basis:
        match = _BY_PROVIDER.fullmatch(each)
        if match is None:
            found[each] = each
            continue
        counted += int(match[1].replace(",", ""))
        found[_BY_PROVIDER.pattern] = f"prompts as the provider counts {counted:,} of them"
    return tuple(found.values())
