"""Requests of writers that cannot be known before a run: how many they may be."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oreline.forecast.foreseen import Waiting
from oreline.forecast.ranges import Range
from oreline.llm.sharing import portion
from oreline.prompting.prompt import Prompt
from oreline.recipe.settings import Llm, Recipe
from oreline.writing.chain import Chain, DrawingChain
from oreline.writing.task import Writing

ANSWERS_LEAD_ON = Range(0.6, 0.97, 1.0)
"""Share of the requests of a round that have an answer on which the next one builds."""

COMPANIONS_FOUND = Range(0.0, 0.7, 1.0)
"""Share of the documents for which a writer finds companions."""

_DRAWN = 5


@dataclass(frozen=True)
class Later:
    """Requests of one of a section's models that are expected in a round, by one of `prompts`.

    `items` is how many things an answer lists, where a prompt asks for several.
    """

    member: int
    prompts: tuple[Prompt, ...]
    calls: Range
    items: Range


def later_requests(writing: Writing, waiting: Mapping[Waiting, int], scale: float) -> list[Later]:
    """Returns the requests of works that wait for answers, `scale` times as many as were seen."""
    found = []
    for each, works in sorted(waiting.items(), key=lambda item: (item[0].writer, item[0].member, item[0].number)):
        chain = writing.chains[each.writer]
        calls = of_round(chain, each) * works * scale
        items = items_of_round(writing.job.recipe, chain, each.number)
        found.append(Later(each.member, prompts_of_round(chain, each.number), calls, items))
    return found


def of_round(chain: Chain, waiting: Waiting) -> Range:
    """Returns how many requests a work that waits has in a round."""
    calls = calls_of_round(chain, waiting.number)
    for _ in range(waiting.steps):
        calls = calls * ANSWERS_LEAD_ON
    return calls


def calls_of_round(chain: Chain, number: int) -> Range:
    """Returns how many requests a work has in a round whose earlier answers all lead on.

    The first round's are exact. What a chain expects of a later one is the most if it is a whole number, else a mean
    that may be off by a quarter.
    """
    expected = chain.calls[number]
    if number == 0 or expected == int(expected):
        return Range.exactly(expected)
    return Range(0.75 * expected, expected, max(math.ceil(expected), 1.25 * expected))


def unknown_companions(writing: Writing, writers: Sequence[str] | frozenset[str], llm: Llm, chosen: int) -> list[Later]:
    """Returns the requests of writers whose documents are found only when the stage runs."""
    shares = writing.job.recipe.synthesize.shares
    found = []
    for writer in sorted(writers):
        chain = writing.chains[writer]
        works = COMPANIONS_FOUND * (chosen * portion(shares, writer))
        for number in range(len(chain.calls)):
            calls = works * of_round(chain, Waiting(writer, 0, number, number))
            items = items_of_round(writing.job.recipe, chain, number)
            for member, part in enumerate(portions(llm)):
                found.append(Later(member, prompts_of_round(chain, number), calls * part, items))
    return found


def items_of_round(recipe: Recipe, chain: Chain, number: int) -> Range:
    """Returns how many things an answer of a round is expected to list, where its prompt asks for several."""
    most = recipe.synthesize.per_document
    if isinstance(chain, DrawingChain):
        return Range(1, _DRAWN, 4 * _DRAWN)
    return Range(1, max(1.0, most / max(1.0, chain.calls[number])), most)


def portions(llm: Llm) -> list[float]:
    """Returns the part of the requests, 0 to 1, that each of a section's models is given."""
    shares = [member.share for member in llm.members()]
    return [share / sum(shares) for share in shares]


def prompts_of_round(chain: Chain, number: int) -> tuple[Prompt, ...]:
    """Returns the prompts that a round may render: its own, or if rounds have several, any but the first round's."""
    prompts = tuple(chain.prompts)
    if len(prompts) == len(chain.calls):
        return (prompts[number],)
    return prompts[:1] if number == 0 else prompts[1:]
