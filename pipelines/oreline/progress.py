"""What the user sees while a stage runs: counts, rate and time left; a plain line every few seconds off a terminal."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

LINE_SECONDS = 5.0


def progress_text(stage: str, counts: Counter[str], total: int | None, seconds: float) -> str:
    """Returns one line of progress: units done, of how many, per second, and the time left.

    `counts["units"]` is what is done, other counts follow by name; `seconds` is the time since the stage began.
    """
    done = counts["units"]
    known = f"{done:,} of {total:,}" if total else f"{done:,}"
    rate = done / seconds if seconds > 0 else 0.0
    pieces = [f"{stage}: {known}", f"{rate:,.0f}/s" if rate >= 10 or rate == 0 else f"{rate:.1f}/s"]
    if total and 0 < done < total:
        pieces.append(f"about {duration((total - done) / rate)} left")
    pieces.extend(f"{number:,} {name}" for name, number in sorted(counts.items()) if name != "units")
    return ", ".join(pieces)


def duration(seconds: float) -> str:
    """Returns a time span for people: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@dataclass
class ProgressLine:
    """Draws the progress of one stage on `stream`: in place on a terminal, else as lines.

    `clock` gives seconds.
    """

    stream: TextIO
    stage: str
    total: int | None
    clock: Callable[[], float]
    _begun: float = field(init=False)
    _drawn: float = field(init=False)
    _width: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._begun = self._drawn = self.clock()

    def draw(self, counts: Counter[str]) -> None:
        """Shows the counts; off a terminal at most every `LINE_SECONDS`."""
        now = self.clock()
        in_place = self.stream.isatty()
        if not in_place and now - self._drawn < LINE_SECONDS:
            return
        self._drawn = now
        text = progress_text(self.stage, counts, self.total, now - self._begun)
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
