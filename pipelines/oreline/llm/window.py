"""How many calls to a model may be in flight: fewer while it is overloaded, more again once it answers."""

from dataclasses import dataclass, field
from typing import Literal

Ending = Literal["answered", "refused", "faulty", "unrelated"]
"""How a call ended, as far as load goes: refused is a 429; faulty a 5xx, a timeout, a broken connection."""

TOLERATED = 1 / 8
"""Faults per answer that are no sign of overload: servers fail now and then at any load."""

_MOST_CREDIT = 4.0


@dataclass
class Window:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989).

    A window of answers opens it by one call, up to `most`; a window of refusals halves it, down to one call. Both are
    applied call by call, half a call for each refusal, so that a few refusals close it a little (as marks do in DCTCP:
    Alizadeh and others 2010, section 3.1). Faults count as refusals once they are more than an eighth of the answers.
    It begins fully open: a provider that is not overloaded would else have to wait for it.
    """

    most: int
    in_flight: int = 0
    _limit: float = field(init=False)
    _credit: float = field(default=_MOST_CREDIT, init=False)

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"a window holds at least one call, found {self.most}")
        self._limit = float(self.most)

    @property
    def limit(self) -> int:
        """The calls that may be in flight now, 1 to `most`."""
        return int(self._limit)

    @property
    def is_open(self) -> bool:
        """Says whether another call may begin."""
        return self.in_flight < self.limit

    def begin(self) -> None:
        """Counts a call that begins."""
        self.in_flight += 1

    def free(self) -> None:
        """Frees the place of a call, of which it is not known yet how it ended."""
        self.in_flight -= 1

    def end(self, ending: Ending, *, in_flight: bool = True) -> None:
        """Counts a call that ended, `in_flight` until now unless its place was free before (see `free`)."""
        if in_flight:
            self.free()
        if ending == "answered":
            self._limit = min(float(self.most), self._limit + 1.0 / self._limit)
            self._credit = min(_MOST_CREDIT, self._credit + TOLERATED)
        elif ending == "faulty" and self._credit >= 1.0:
            self._credit -= 1.0
        elif ending != "unrelated":
            self._limit = max(1.0, self._limit - 0.5)
