"""Whether the budget is enough: what is left of it, and in which stage a run would stop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from oreline.forecast.asked import StageForecast
from oreline.forecast.ranges import ZERO, Range
from oreline.llm.budget import Budget, effective_budget
from oreline.llm.spending import Spending

_RESERVED = 2.0
"""A prompt's tokens reserve so many before it is sent: one for every two bytes, where about four are a token."""


@dataclass(frozen=True)
class Outlook:
    """The budget of a section of models against what an output has spent and would spend up to its last stage.

    `needed_dollars` (None if a price is not known) and `needed_tokens` are of all stages up to then. `stops_in` names
    the stage in which a run is expected to stop, `may_stop_in` that in which it stops if all comes high. `room_dollars`
    and `room_tokens` must be left beside: a call is made only where the longest answer would fit.
    """

    stages: tuple[str, ...]
    budget: Budget
    spent_dollars: float
    spent_tokens: int
    needed_dollars: Range | None
    needed_tokens: Range
    room_dollars: float
    room_tokens: float
    stops_in: str | None
    may_stop_in: str | None

    @property
    def told(self) -> str:
        """A sentence on the budget, and a warning if it may not be enough."""
        budget, dollars = self.budget, self.needed_dollars
        left = []
        if budget.dollars is not None:
            left.append(f"{_shown(max(0.0, budget.dollars - self.spent_dollars))} dollars")
        if budget.tokens is not None:
            left.append(f"{max(0, budget.tokens - self.spent_tokens):,} tokens")
        told = f"budget for {', '.join(self.stages)}: {budget}; {' and '.join(left)} left"
        name = "llm.budget_tokens" if budget.dollars is None else "llm.budget_usd"
        if budget.dollars is not None and dollars is not None:
            most = _rounded_up(self.spent_dollars + dollars.high + self.room_dollars)
        else:
            most = f"{self.spent_tokens + self.needed_tokens.high + self.room_tokens:.0f}"
        remedy = f"set {name} to {most}, the most that is expected with room for the longest answer"
        if self.stops_in is not None:
            return f"{told}. It is not enough: a run would stop in {self.stops_in}; {remedy}"
        if self.may_stop_in is not None:
            return f"{told}. It may not be enough: a run could stop in {self.may_stop_in}; {remedy}"
        return f"{told}. It is enough"


def _shown(dollars: float) -> str:
    return f"{dollars:.2f}" if dollars >= 1 or dollars == 0 else f"{dollars:.2g}"


def _rounded_up(dollars: float) -> str:
    """Returns dollars in cents, less than one in two digits that count, never fewer than they are."""
    digits = 2 if dollars >= 1 or dollars == 0 else 1 - math.floor(math.log10(dollars))
    return f"{math.ceil(dollars * 10**digits) / 10**digits:.{digits}f}"


def outlooks(forecasts: Sequence[StageForecast], spending: Spending) -> list[Outlook]:
    """Returns the outlook of each section of models; a budget counts all that its output spends, whoever is asked."""
    sections = {
        each.llm: tuple(dict.fromkeys(other.stage for other in forecasts if other.llm == each.llm))  # judge may be two
        for each in forecasts
    }
    return [_outlook(forecasts, stages, effective_budget(llm), spending) for llm, stages in sections.items()]


def _outlook(
    forecasts: Sequence[StageForecast], stages: tuple[str, ...], budget: Budget, spending: Spending
) -> Outlook:
    tokens = ZERO
    dollars: Range | None = ZERO
    stops = may_stop = None
    room_dollars = room_tokens = 0.0
    last = max(place for place, each in enumerate(forecasts) if each.stage == stages[-1])
    for each in forecasts[: last + 1]:
        tokens = tokens + each.tokens
        dollars = None if dollars is None or each.dollars is None else dollars + each.dollars
        if each.stage in stages and each.calls.high:
            own_tokens, own_dollars = _room(each, budget)
            room_tokens, room_dollars = max(room_tokens, own_tokens), max(room_dollars, own_dollars)
            limits = (
                (budget.tokens, spending.tokens + own_tokens, tokens),
                (budget.dollars, spending.dollars + own_dollars, dollars or ZERO),
            )
            if any(limit is not None and beside + needed.expected > limit for limit, beside, needed in limits):
                stops = stops or each.stage
            if any(limit is not None and beside + needed.high > limit for limit, beside, needed in limits):
                may_stop = may_stop or each.stage
    room = room_dollars, room_tokens
    return Outlook(stages, budget, spending.dollars, spending.tokens, dollars, tokens, *room, stops, may_stop)


def _room(stage: StageForecast, budget: Budget) -> tuple[float, float]:
    """Returns the tokens and dollars that must be left beside what a stage costs, for its last call to be made."""
    tokens = dollars = 0.0
    for place, (member, model) in enumerate(zip(stage.llm.members(), stage.models, strict=True)):
        if model.calls.high:
            prompt = round(max(each.prompt_tokens.high for each in model.parts or (model,)))
            output = round(model.output_tokens.expected)
            reserved = round(_RESERVED * prompt), max(output, member.max_output_tokens)
            tokens = max(tokens, float(sum(reserved) - prompt - output))
            dollars = max(dollars, budget.cost(place, *reserved) - budget.cost(place, prompt, output))
    workers = stage.llm.workers  # each has its part of the budget
    return tokens * workers, dollars * workers
