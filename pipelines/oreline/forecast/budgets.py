"""Whether the budget is enough: what is left of it, and in which stage a run would stop."""

from collections.abc import Sequence
from dataclasses import dataclass

from oreline.forecast.asked import StageForecast
from oreline.forecast.ranges import ZERO, Range
from oreline.llm.budget import Budget, effective_budget
from oreline.llm.spending import Spending


@dataclass(frozen=True)
class Outlook:
    """The budget of a section of models against what an output has spent and would spend up to its last stage.

    `needed_dollars` (None if a price is not known) and `needed_tokens` are of all stages up to then. `stops_in` names
    the stage in which a run is expected to stop, `may_stop_in` that in which it stops if all comes high.
    """

    stages: tuple[str, ...]
    budget: Budget
    spent_dollars: float
    spent_tokens: int
    needed_dollars: Range | None
    needed_tokens: Range
    stops_in: str | None
    may_stop_in: str | None

    @property
    def told(self) -> str:
        """A sentence on the budget, and a warning if it may not be enough."""
        budget, dollars = self.budget, self.needed_dollars
        left = []
        if budget.dollars is not None:
            left.append(f"{max(0.0, budget.dollars - self.spent_dollars):.2f} dollars")
        if budget.tokens is not None:
            left.append(f"{max(0, budget.tokens - self.spent_tokens):,} tokens")
        told = f"budget for {', '.join(self.stages)}: {budget}; {' and '.join(left)} left"
        name = "llm.budget_tokens" if budget.dollars is None else "llm.budget_usd"
        if budget.dollars is not None and dollars is not None:
            most = f"{self.spent_dollars + dollars.high:.2f}"
        else:
            most = f"{self.spent_tokens + self.needed_tokens.high:.0f}"
        remedy = f"set {name} to {most}, the most that is expected"
        if self.stops_in is not None:
            return f"{told}. It is not enough: a run would stop in {self.stops_in}; {remedy}"
        if self.may_stop_in is not None:
            return f"{told}. It may not be enough: a run could stop in {self.may_stop_in}; {remedy}"
        return f"{told}. It is enough"


def outlooks(forecasts: Sequence[StageForecast], spending: Spending) -> list[Outlook]:
    """Returns the outlook of each section of models; a budget counts all that its output spends, whoever is asked."""
    sections = {each.llm: tuple(other.stage for other in forecasts if other.llm == each.llm) for each in forecasts}
    return [_outlook(forecasts, stages, effective_budget(llm), spending) for llm, stages in sections.items()]


def _outlook(
    forecasts: Sequence[StageForecast], stages: tuple[str, ...], budget: Budget, spending: Spending
) -> Outlook:
    tokens = ZERO
    dollars: Range | None = ZERO
    stops = may_stop = None
    for each in forecasts:
        tokens = tokens + each.tokens
        dollars = None if dollars is None or each.dollars is None else dollars + each.dollars
        if each.stage not in stages:
            continue
        over = [tokens.expected, tokens.high], budget.tokens, spending.tokens
        money = ([dollars.expected, dollars.high] if dollars else [0.0, 0.0]), budget.dollars, spending.dollars
        expected, most = (
            any(limit is not None and spent + needed[place] > limit for needed, limit, spent in (over, money))
            for place in (0, 1)
        )
        stops = stops or (each.stage if expected else None)
        may_stop = may_stop or (each.stage if most else None)
        if each.stage == stages[-1]:
            break
    return Outlook(stages, budget, spending.dollars, spending.tokens, dollars, tokens, stops, may_stop)
