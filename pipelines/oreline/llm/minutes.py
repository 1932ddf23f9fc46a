"""A limit per minute, of calls or of tokens, that no minute exceeds."""

from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(eq=False)
class Taken:
    """An amount that was taken at a time, and whether it still counts."""

    time: float
    amount: float
    counts: bool = True


@dataclass
class MinuteLimit:
    """Keeps what is taken within any 60 seconds at or below `most`; times in seconds, of any one clock.

    It remembers what was taken in the last minute. (A bucket that holds a minute's worth and is refilled at that rate
    lets twice as much through in its first minute; one that holds less is slower than the limit.) An amount above
    `most` is let through alone, after which nothing follows for as many minutes as it would fill: so does a share
    below one call a minute keep its rate.
    """

    most: float
    _taken: deque[Taken] = field(default_factory=deque, init=False)
    _total: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.most <= 0:
            raise ValueError(f"a limit per minute is above 0, found {self.most}")

    def delay(self, amount: float, now: float) -> float:
        """Returns the seconds from `now` until an amount may be taken, 0 for at once."""
        self._forget(now)
        total, ready = self._total, now
        for each in self._taken:
            if total + amount <= self.most:
                break
            total -= each.amount
            ready = max(ready, self._end(each))
        return ready - now

    def take(self, amount: float, now: float) -> Taken:
        """Takes an amount; to be called when `delay` is 0."""
        taken = Taken(now, amount)
        self._taken.append(taken)
        self._total += amount
        return taken

    def remember(self, amount: float, time: float) -> None:
        """Counts what was taken before, however much it is; to be called in the order of time, before any `take`."""
        self._taken.append(Taken(time, amount))
        self._total += amount

    def correct(self, taken: Taken, amount: float) -> None:
        """Replaces what was taken by what it turned out to be."""
        if taken.counts:
            self._total += amount - taken.amount
        taken.amount = amount

    def _forget(self, now: float) -> None:
        while self._taken and self._end(self._taken[0]) <= now:
            gone = self._taken.popleft()
            gone.counts = False
            self._total -= gone.amount
        if not self._taken:
            self._total = 0.0

    def _end(self, taken: Taken) -> float:
        """Returns when an amount counts no more."""
        return taken.time + MINUTE * max(1.0, taken.amount / self.most)
