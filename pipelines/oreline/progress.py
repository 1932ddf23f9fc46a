"""What the user sees while a stage runs: counts, rate and time left; a plain line every few seconds off a terminal."""

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

LINE_SECONDS = 5.0
RATE_SECONDS = 30.0
"""A rate is that of the last so many seconds: answers from the journal come at once, and a provider's pace changes."""

SILENT_SECONDS = 300.0
"""After so long without a new count, it is said how long that is: a worker that hangs does not tell so itself."""

_MILLION = 1_000_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Purse:
    """What a stage that asks a model may spend, and what its output had spent before; a limit of None is none."""

    dollars: float | None = None
    tokens: int | None = None
    spent_dollars: float = 0.0
    spent_tokens: int = 0

    def text(self, counts: Counter[str]) -> str:
        """Returns what the output has spent by now, this stage's `tokens` and `microdollars` included."""
        tokens = tokens_text(self.spent_tokens + counts["tokens"])
        dollars = self.spent_dollars + counts["microdollars"] / _MILLION
        of_tokens = "" if self.tokens is None else f" of {tokens_text(self.tokens)}"
        of_dollars = "" if self.dollars is None else f" of {self.dollars:.2f}"
        money = f", {dollars:.2f}{of_dollars} dollars" if dollars or self.dollars is not None else ""
        return f"{tokens}{of_tokens} tokens{money}"


def progress_text(stage: str, counts: Counter[str], total: int | None, rate: float, purse: Purse | None = None) -> str:
    """Returns one line of progress: units done, of how many, per second, and the time left.

    `counts["units"]` is what is done, other counts follow by name; `rate` is in units per second. With a `purse` the
    stage asks a model: `requests` are done of those `rendered`, and tokens and money stand for the other counts.
    """
    if purse is not None:
        return _asking_text(stage, counts, rate, purse)
    pieces = [*_pace(stage, counts["units"], total, rate)]
    pieces.extend(f"{number:,} {name}" for name, number in sorted(counts.items()) if name != "units")
    return ", ".join(pieces)


def tokens_text(tokens: int) -> str:
    """Returns a number of tokens for people: `812,345`, `1.2 M`."""
    return f"{tokens:,}" if tokens < _MILLION else f"{tokens / _MILLION:,.1f} M"


def duration(seconds: float) -> str:
    """Returns a time span for people: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def done_of(counts: Counter[str]) -> int:
    """Returns what is done of a stage's work: requests where a model is asked, else units."""
    return counts["requests"] if counts["rendered"] else counts["units"]


def _asking_text(stage: str, counts: Counter[str], rate: float, purse: Purse) -> str:
    if not counts["requests"]:
        known = f"{counts['rendered']:,} requests to make" if counts["rendered"] else "its requests are being made up"
        return f"{stage}: {known}, {purse.text(counts)} spent"
    return ", ".join([*_pace(stage, counts["requests"], counts["rendered"], rate), purse.text(counts)])


def _pace(stage: str, done: int, total: int | None, rate: float) -> list[str]:
    known = f"{done:,} of {total:,}" if total else f"{done:,}"
    pieces = [f"{stage}: {known}", f"{rate:,.0f}/s" if rate >= 10 or rate == 0 else f"{rate:.1f}/s"]
    if total and 0 < done < total and rate:
        pieces.append(f"about {duration((total - done) / rate)} left")
    return pieces


@dataclass
class ProgressLine:
    """Draws the progress of one stage on `stream`: in place on a terminal, else as lines.

    `clock` gives seconds; `purse` is set where the stage asks a model.
    """

    stream: TextIO
    stage: str
    total: int | None
    clock: Callable[[], float]
    purse: Purse | None = None
    _begun: float = field(init=False)
    _drawn: float = field(init=False)
    _width: int = field(init=False, default=0)
    _passed: deque[tuple[float, int]] = field(init=False, default_factory=deque)
    _counts: Counter[str] = field(init=False, default_factory=Counter)
    _heard: float = field(init=False)
    _warned: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._begun = self._drawn = self._heard = self.clock()
        self._passed.append((self._begun, 0))

    def draw(self, counts: Counter[str]) -> None:
        """Shows the counts; off a terminal at most every `LINE_SECONDS`."""
        now = self.clock()
        rate = self._rate(now, done_of(counts))
        silence = self._silence(now, counts)
        in_place = self.stream.isatty()
        if not in_place and now - self._drawn < LINE_SECONDS:
            return
        self._drawn = now
        text = progress_text(self.stage, counts, self.total, rate, self.purse) + silence
        if in_place:
            self.stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

    def finish(self, text: str) -> None:
        """Replaces the line by a last one."""
        if self.stream.isatty():
            self.stream.write("\r" + text.ljust(self._width) + "\n")
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

    @property
    def seconds(self) -> float:
        """Time since the stage began, in seconds."""
        return self.clock() - self._begun

    def _silence(self, now: float, counts: Counter[str]) -> str:
        """Returns the end of the line that says for how long no worker was heard of, if that is long; logs it once."""
        if counts != self._counts:
            self._counts, self._heard, self._warned = counts.copy(), now, False
        if now - self._heard < SILENT_SECONDS:
            return ""
        told = f"no worker was heard of for {duration(now - self._heard)}"
        if not self._warned:
            self._warned = True
            _LOG.warning("%s: %s; if they use no processor, they hang", self.stage, told)
        return f"; {told}: Ctrl-C stops it, and the same command goes on from there"

    def _rate(self, now: float, done: int) -> float:
        """Returns how much was done per second of late."""
        self._passed.append((now, done))
        while len(self._passed) > 2 and self._passed[1][0] <= now - RATE_SECONDS:
            self._passed.popleft()
        before, then = self._passed[0]
        return (done - then) / (now - before) if now > before else 0.0
