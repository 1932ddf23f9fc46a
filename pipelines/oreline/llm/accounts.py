"""What one process may spend on a stage's models, and what it has spent, through however many engines."""

from dataclasses import dataclass
from typing import Self

from oreline.llm.budget import Budget, Meter
from oreline.llm.spending import Spending


@dataclass(frozen=True)
class Account:
    """A process's meter, which counts its share of `before`: what the output had spent when the account was opened.

    It outlives an engine: what other processes have spent since counts against their shares, not this one's.
    """

    meter: Meter
    before: Spending
    workers: int

    @classmethod
    def opened(cls, budget: Budget, before: Spending, workers: int = 1) -> Self:
        """Returns a new account of one of `workers` processes; `budget` is that of all of them."""
        meter = Meter(budget.divided(workers))
        meter.add(before.tokens, before.dollars, workers=workers)
        return cls(meter, before, workers)

    def spent(self, stage: str) -> Spending:
        """Returns what was spent before, with what this process has spent on the stage since."""
        tokens = self.meter.tokens - self.before.tokens // self.workers
        return self.before.plus(stage, tokens, self.meter.dollars - self.before.dollars / self.workers)
