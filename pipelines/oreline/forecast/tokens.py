"""Tokens per call: of prompts by the journal, the provider's counter or an estimate; of answers by the journal or not.

All of it is about one model and one prompt file.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oreline.forecast.history import Asked, Summary, spread
from oreline.forecast.ranges import Range
from oreline.forecast.rendering import Rendered, estimate_of, schema_estimate
from oreline.llm.identity import provider_identity
from oreline.llm.prices import thinking_of
from oreline.llm.requests import Request
from oreline.prompting.prompt import Prompt
from oreline.recipe.settings import Llm

Counter = Callable[[Llm, Sequence[Request]], Sequence[int] | str]
"""Counts the prompt tokens of requests at the provider, for nothing, or says why it cannot."""

ESTIMATE = Range(0.7, 1.0, 1.35)
"""A tokenizer's tokens to one of ours (4 characters, 1 in scripts without spaces), over languages and code."""

UNUSABLE = Range(0.0, 0.01, 0.15)
"""Share of answers that are asked for again, as long as the journal knows none."""

LATENCY = Range(1.0, 3.0, 10.0)
"""Seconds of a call, as long as the journal knows none."""

_SIGMAS = 3.0
_ENOUGH_JOURNALED = 16
_LEAST_ERROR = 0.01
_UNSTATED = (20, 400)
_THINKING: dict[str, Range] = {
    "none": Range.exactly(0),
    "minimal": Range(0, 20, 200),
    "low": Range(0, 150, 800),
    "medium": Range(50, 500, 3_000),
    "high": Range(100, 1_200, 8_000),
}


@dataclass(frozen=True)
class Known:
    """A number with what it rests on, in a few words each."""

    value: Range
    basis: tuple[str, ...]


def asked_of(member: Llm, prompt: Prompt) -> Asked:
    """Returns what answers of a model to a prompt are found under in the history."""
    return provider_identity(member), member.model, prompt.id, prompt.version


def tokens_per_estimate(member: Llm, rendered: Rendered, counter: Counter) -> Known:
    """Returns how many tokens the provider counts for one of ours, in the prompts of a model's requests.

    `rendered.sample` must hold a request.
    """
    if rendered.journaled >= _ENOUGH_JOURNALED and rendered.counted_estimate:
        factor = rendered.counted / rendered.counted_estimate
        margin = _LEAST_ERROR * factor
        return Known(Range.about(factor, margin), (f"prompts as {rendered.journaled:,} of them were billed",))
    counts = counter(member, rendered.sample)
    schema = sum(schema_estimate(each) for each in rendered.sample)
    estimates = [estimate_of(each) for each in rendered.sample]
    if isinstance(counts, str):
        beside = schema / max(1, sum(estimates))
        value = Range(ESTIMATE.low, ESTIMATE.expected, ESTIMATE.high * (1 + beside))
        return Known(value, (f"prompts estimated from their characters: {counts}",))
    factor = sum(counts) / max(1, sum(estimates))
    errors = [count - factor * estimate for count, estimate in zip(counts, estimates, strict=True)]
    deviation = math.sqrt(sum(error**2 for error in errors) / max(1, len(errors) - 1))
    margin = max(_LEAST_ERROR * factor, _SIGMAS * deviation * math.sqrt(len(errors)) / max(1, sum(estimates)))
    # Whether a provider counts the response schema among the prompt's tokens is not known before it answers.
    value = Range(max(0.0, factor - margin), factor, factor + margin + schema / max(1, sum(estimates)))
    return Known(value, (f"prompts as the provider counts {len(counts)} of them",))


def prompt_expectation(known: Summary | None, calls: float) -> Known | None:
    """Returns the prompt tokens of a call to be, by earlier answers to the same prompt; None if there are too few."""
    found = spread(known.prompts) if known is not None else None
    if found is None:
        return None
    return Known(found.mean_of(calls), (f"prompts like {found.number:,} in the journal",))


def output_expectation(member: Llm, prompt: Prompt, items: Range, known: Summary | None, calls: float) -> Known:
    """Returns the output tokens of a call, thinking included: by earlier answers, else by the prompt file.

    `items` is what an answer is about: queries to be written, documents to be graded.
    """
    found = spread(known.outputs) if known is not None else None
    if found is not None:
        return Known(found.mean_of(calls), (f"answers like {found.number:,} in the journal",))
    least, most = prompt.expected_output_tokens or _UNSTATED
    of = items if "count" in prompt.inputs and prompt.expected_output_tokens else Range.exactly(1)
    length = (of * Range(least, (least + most) / 2, most)).at_most(member.max_output_tokens)
    stated = "as the prompt file says" if prompt.expected_output_tokens else "a guess, the prompt file says nothing"
    thought = thinking_expectation(member)
    thinks = [f"{member.model} may think up to {thought.high:,.0f} tokens a call"] if thought.high else []
    return Known(length + thought, (f"length of answers {stated}", *thinks))


def thinking_expectation(member: Llm) -> Range:
    """Returns the thinking tokens of a call, by the recipe's settings, else by what the model does by default."""
    budget = member.thinking_budget
    if budget is not None and budget >= 0:
        return Range(0, budget / 2, budget)
    if member.thinking_level is not None:
        return _THINKING[member.thinking_level]
    return _THINKING[thinking_of(member) or "none"]


def repeats(known: Summary | None, attempts: int) -> Range:
    """Returns how many calls a request costs: one, and those for answers that could not be used."""
    share = known.again if known is not None and len(known.outputs) >= _ENOUGH_JOURNALED else UNUSABLE
    calls = Range.exactly(1)
    again = Range.exactly(1)
    for _ in range(attempts - 1):
        again = again * share
        calls = calls + again
    return calls


def latency_expectation(known: Summary | None) -> Known:
    """Returns the seconds of a call."""
    found = spread(known.latencies) if known is not None else None
    if found is None:
        told = f"{LATENCY.expected:g} seconds a call assumed ({LATENCY.low:g} to {LATENCY.high:g})"
        return Known(LATENCY, (told,))
    value = found.mean_of(found.number)
    return Known(value, (f"{found.mean:.1f} seconds a call, as in the journal",))
