"""What calls cost and how long they take, as ranges."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from oreline.forecast.ranges import ZERO, Range, total
from oreline.llm.prices import Price
from oreline.recipe.settings import Llm

_SECONDS_OF_A_MINUTE = 60.0
_SIGMAS = 3.0


@dataclass(frozen=True)
class ModelForecast:
    """What one model would be asked: calls, second attempts included, and the tokens of one call.

    `share` is its part of the stage's requests where they were not counted: a draw decides, so that the number of its
    own calls is less certain than its part of all; None where they were counted. `dollars` is None if its price is not
    known, `batch_dollars` if batch mode's is not: what the same calls would cost there; oreline
    calls online. `parts` are its calls by prompt, where they were told apart: then the tokens of one call are means.
    """

    provider: str
    model: str
    calls: Range
    prompt_tokens: Range
    output_tokens: Range
    price: Price | None
    share: float | None = None
    parts: "tuple[ModelForecast, ...]" = ()

    @property
    def drawn_calls(self) -> Range:
        """Its calls, the luck of the draw included."""
        if self.share is None or self.share >= 1.0:
            return self.calls
        margin = _SIGMAS * math.sqrt(self.calls.high * (1 - self.share))
        return Range(max(0.0, self.calls.low - margin), self.calls.expected, self.calls.high + margin)

    @property
    def tokens(self) -> Range:
        """Prompt and output tokens of all calls."""
        return self.all_prompt_tokens + self.all_output_tokens

    @property
    def all_prompt_tokens(self) -> Range:
        """Prompt tokens of all calls."""
        return total([each.all_prompt_tokens for each in self.parts]) if self.parts else self.calls * self.prompt_tokens

    @property
    def all_output_tokens(self) -> Range:
        """Output tokens of all calls, thinking included."""
        return total([each.all_output_tokens for each in self.parts]) if self.parts else self.calls * self.output_tokens

    @property
    def dollars(self) -> Range | None:
        """What all calls cost."""
        if self.parts:
            return sum_known([each.dollars for each in self.parts])
        return self.price_of(self.calls)

    def price_of(self, calls: Range) -> Range | None:
        """Returns what so many calls of it cost; None if its price is not known."""
        return None if self.price is None else calls * _per_call(self.price, self.prompt_tokens, self.output_tokens)

    @property
    def batch_dollars(self) -> Range | None:
        """What all calls would cost in batch mode."""
        dollars, price = self.dollars, self.price
        return None if dollars is None or price is None or price.batch is None else dollars * price.batch


def joined(model: ModelForecast, parts: Sequence[ModelForecast]) -> ModelForecast:
    """Returns the forecast of a model's calls of all kinds; `model` says which, and has no calls of its own."""
    if len(parts) < 2:
        return replace(parts[0], share=model.share) if parts else model
    calls = total([each.calls for each in parts])
    prompts = total([each.all_prompt_tokens for each in parts])
    outputs = total([each.all_output_tokens for each in parts])
    return replace(
        model, calls=calls, prompt_tokens=_mean(prompts, calls), output_tokens=_mean(outputs, calls), parts=tuple(parts)
    )


def _mean(tokens: Range, calls: Range) -> Range:
    means = [
        whole / number
        for whole, number in (
            (tokens.low, calls.low),
            (tokens.expected, calls.expected),
            (tokens.high, calls.high),
        )
        if number
    ]
    return (
        Range(min(means), tokens.expected / calls.expected if calls.expected else means[0], max(means))
        if means
        else ZERO
    )


def with_draw(models: Sequence[ModelForecast], whole: Range, per_call: Sequence[Range]) -> Range:
    """Returns a sum over models, widened by the luck of the draw by which each request is given to one of them.

    `per_call` is what a call of each adds to the sum; its variance is that of a multinomial draw.
    """
    shares = [each.share for each in models if each.share is not None]
    if len(models) == 1 or len(shares) < len(models):
        return whole
    calls = sum((each.calls for each in models), ZERO)
    low = _SIGMAS * math.sqrt(calls.low * _variance(shares, [each.low for each in per_call]))
    high = _SIGMAS * math.sqrt(calls.high * _variance(shares, [each.high for each in per_call]))
    return Range(max(0.0, whole.low - low), whole.expected, whole.high + high)


def _variance(shares: Sequence[float], values: Sequence[float]) -> float:
    mean = sum(share * value for share, value in zip(shares, values, strict=True))
    return max(0.0, sum(share * value**2 for share, value in zip(shares, values, strict=True)) - mean**2)


def _per_call(price: Price, prompt: Range, output: Range) -> Range:
    return Range(
        price.dollars(round(prompt.low), round(output.low)),
        price.dollars(round(prompt.expected), round(output.expected)),
        price.dollars(round(prompt.high), round(output.high)),
    )


def sum_known(values: "list[Range | None]") -> Range | None:
    """Returns the sum, or None if one of the values is not known."""
    known = [each for each in values if each is not None]
    return total(known) if len(known) == len(values) else None


def seconds_of(llm: Llm, calls: Range, tokens: Range, latency: Range) -> Range:
    """Returns how long a stage's calls take: by concurrency and latency, and no faster than the rates allow."""
    taken = calls * latency * (1 / min(llm.concurrency, max(1.0, calls.high)))
    # The last calls do not fill the window: their own latency comes on top.
    taken = taken + (latency if calls.high else ZERO)
    for rate, needed in ((llm.requests_per_minute, calls), (llm.tokens_per_minute, tokens)):
        if rate is not None:
            least = needed * (_SECONDS_OF_A_MINUTE / rate)
            taken = Range(max(taken.low, least.low), max(taken.expected, least.expected), max(taken.high, least.high))
    return taken
