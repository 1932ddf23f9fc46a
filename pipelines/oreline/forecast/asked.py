"""What a stage would ask its models: calls, tokens, dollars and time of all of them together."""

from dataclasses import dataclass

from oreline.forecast.money import ModelForecast, sum_known, with_draw
from oreline.forecast.ranges import ZERO, Range, total
from oreline.recipe.settings import Llm


@dataclass(frozen=True)
class StageForecast:
    """What a stage would ask its models.

    `requests` are all distinct requests, of which the journal settles `journaled` (None if that is not known);
    `exact` says whether they were counted. `basis` says in a few words each what the numbers rest on. `scorer` is whose
    requests they are in a judge that has several.
    """

    stage: str
    llm: Llm
    exact: bool
    requests: Range
    journaled: int | None
    models: tuple[ModelForecast, ...]
    seconds: Range
    basis: tuple[str, ...]
    scorer: str | None = None

    @property
    def label(self) -> str:
        """The stage's name, with the scorer's where there is one."""
        return self.stage if self.scorer is None else f"{self.stage}, {self.scorer}"

    @property
    def calls(self) -> Range:
        """Calls to all models, second attempts included."""
        return total([each.calls for each in self.models])

    @property
    def prompt_tokens(self) -> Range:
        """Prompt tokens of all calls."""
        whole = total([each.all_prompt_tokens for each in self.models])
        return with_draw(self.models, whole, [each.prompt_tokens for each in self.models])

    @property
    def output_tokens(self) -> Range:
        """Output tokens of all calls, thinking included."""
        whole = total([each.all_output_tokens for each in self.models])
        return with_draw(self.models, whole, [each.output_tokens for each in self.models])

    @property
    def tokens(self) -> Range:
        """Prompt and output tokens of all calls."""
        return self.prompt_tokens + self.output_tokens

    @property
    def dollars(self) -> Range | None:
        """What all calls cost; None if a price is not known."""
        return self._money([each.dollars for each in self.models])

    @property
    def batch_dollars(self) -> Range | None:
        """What all calls would cost in batch mode; None if a price is not known."""
        return self._money([each.batch_dollars for each in self.models])

    def _money(self, dollars: list[Range | None]) -> Range | None:
        whole = sum_known(dollars)
        if whole is None:
            return None
        return with_draw(self.models, whole, [_each(*pair) for pair in zip(dollars, self.models, strict=True)])


def _each(dollars: Range | None, model: ModelForecast) -> Range:
    """Returns what a call of a model adds to a sum of dollars."""
    whole, calls = dollars or ZERO, model.calls
    return Range(
        whole.low / max(1.0, calls.low), whole.expected / max(1.0, calls.expected), whole.high / max(1.0, calls.high)
    )
