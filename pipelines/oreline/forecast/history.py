"""What the journal says of earlier answers: their length, how long they took, how often one was asked for again."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from oreline.forecast.ranges import Range
from oreline.llm import journal
from oreline.llm.requests import LANES, Answer

ENOUGH = 8
"""Answers from which their mean says more than a prompt file's expectation."""

_MOST_ANSWERS = 4_000
_SIGMAS = 3.0
_LEAST_MARGIN = 0.03
_FEW = 100
_FEW_MARGIN = 0.15

Asked = tuple[str | None, str | None, str | None, int | None]
"""Who was asked what: provider identity, model, prompt id, prompt version."""


@dataclass(frozen=True)
class Spread:
    """Some numbers: how many, their mean and standard deviation."""

    number: int
    mean: float
    deviation: float

    def mean_of(self, calls: float) -> Range:
        """Returns the mean of the next `calls` numbers of this kind, three standard errors to each side."""
        error = _SIGMAS * self.deviation * math.sqrt(1 / self.number + 1 / max(1.0, calls))
        least = _LEAST_MARGIN if self.number >= _FEW else _FEW_MARGIN
        return Range.about(self.mean, max(error, least * self.mean))


@dataclass
class Summary:
    """The answers of one model to one prompt."""

    prompts: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    firsts: int = 0
    seconds: int = 0

    def add(self, answer: Answer) -> None:
        """Takes an answer; `outputs` include thinking."""
        self.prompts.append(answer.prompt_tokens or 0)
        self.outputs.append((answer.output_tokens or 0) + (answer.thinking_tokens or 0))
        if answer.latency is not None:
            self.latencies.append(answer.latency)
        self.firsts += answer.attempt == 0
        self.seconds += answer.attempt == 1

    @property
    def again(self) -> Range:
        """The share of first attempts that were followed by a second one."""
        share = min(1.0, self.seconds / max(1, self.firsts))
        error = _SIGMAS * math.sqrt(max(share * (1 - share), 1 / max(1, self.firsts)) / max(1, self.firsts))
        return Range.about(share, error).at_most(1.0)


@dataclass(frozen=True)
class History:
    """The journal's answers by who was asked what, read from a `share` of its lanes."""

    summaries: dict[Asked, Summary] = field(default_factory=dict)
    share: float = 1.0

    def of(self, asked: Asked) -> Summary | None:
        """Returns the answers of a model to a prompt, or None if there are none."""
        return self.summaries.get(asked)

    def requests(self, asked: Asked) -> float:
        """Returns about how many requests of a prompt to a model were answered."""
        known = self.of(asked)
        return 0.0 if known is None else known.firsts / self.share


def read_history(cache: str) -> History:
    """Returns what the journal holds; of a large one the first lanes, a uniform sample, as requests go by hash."""
    found: defaultdict[Asked, Summary] = defaultdict(Summary)
    answers = lanes = 0
    for lane in range(LANES):
        lanes += 1
        for attempts in journal.read_lane(cache, lane).values():
            for answer in attempts.values():
                found[answer.provider, answer.model, answer.prompt_id, answer.prompt_version].add(answer)
                answers += 1
        if answers >= _MOST_ANSWERS:
            break
    return History(dict(found), lanes / LANES)


def spread(values: Iterable[float]) -> Spread | None:
    """Returns mean and deviation, or None for fewer than `ENOUGH` values."""
    numbers = list(values)
    if len(numbers) < ENOUGH:
        return None
    mean = sum(numbers) / len(numbers)
    variance = sum((each - mean) ** 2 for each in numbers) / (len(numbers) - 1)
    return Spread(len(numbers), mean, math.sqrt(variance))
