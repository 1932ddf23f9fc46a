"""The whole forecast of a plan: its stages, their sum, its budgets, and what to be warned of."""

from collections.abc import Sequence
from dataclasses import dataclass

from oreline import files
from oreline.forecast.asked import StageForecast
from oreline.forecast.budgets import Outlook, outlooks
from oreline.forecast.embedding import asked_services
from oreline.forecast.money import sum_known
from oreline.forecast.ranges import Range, total
from oreline.forecast.rendering import Progress
from oreline.forecast.stages import Forecaster
from oreline.forecast.telling import During, untold
from oreline.forecast.tokens import Counter
from oreline.llm.ownership import ID_FILE
from oreline.llm.prices import retirements
from oreline.llm.spending import Spending, spent
from oreline.planning import Planned
from oreline.preflight import models_called
from oreline.recipe.settings import Recipe


@dataclass(frozen=True)
class Forecast:
    """What a run would cost; without stages, it would call no model. `notes` tell of work that is no call."""

    stages: Sequence[StageForecast] = ()
    outlooks: Sequence[Outlook] = ()
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def calls(self) -> Range:
        """Calls of all stages."""
        return total([each.calls for each in self.stages])

    @property
    def tokens(self) -> Range:
        """Prompt and output tokens of all stages."""
        return total([each.tokens for each in self.stages])

    @property
    def dollars(self) -> Range | None:
        """What all stages cost; None if a price is not known."""
        return sum_known([each.dollars for each in self.stages])

    @property
    def batch_dollars(self) -> Range | None:
        """What all stages would cost in batch mode; None if a price is not known."""
        return sum_known([each.batch_dollars for each in self.stages])

    @property
    def seconds(self) -> Range:
        """The time of all stages' calls, one stage after the other."""
        return total([each.seconds for each in self.stages])


def forecast(
    recipe: Recipe,
    plan: Sequence[Planned],
    *,
    adopt_from: str | None,
    counter: Counter,
    progress: Progress,
    during: During = untold,
) -> Forecast:
    """Returns what a plan would cost. Nothing is spent, and nothing is written into output or cache.

    `counter` counts tokens at the provider; `progress` is told how many requests of a stage were rendered,
    `during` which step is done.
    """
    called = models_called(recipe, plan)
    measures = "cross_encoder" in recipe.judge.scorers
    if not called and not measures and not asked_services(recipe):
        return Forecast()
    forecaster = Forecaster(recipe, adopt_from, counter, progress, during)
    stages = forecaster.forecast(plan)
    warnings = dict.fromkeys(sentence for llm in called for sentence in retirements(llm.members()))
    return Forecast(stages, outlooks(stages, _spent(recipe)), tuple(warnings), tuple(forecaster.notes))


def _spent(recipe: Recipe) -> Spending:
    # An output without an id has paid for nothing; to ask for its id would be to make one.
    if not files.exists(files.join(recipe.output, ID_FILE)):
        return Spending()
    return spent(recipe.output, recipe.cache_folder)
