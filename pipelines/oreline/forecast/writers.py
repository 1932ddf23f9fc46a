"""What writers are expected to ask while their inputs are not there: per writer and round, how often, and how long."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from oreline.chunking.tokens import estimate_tokens
from oreline.forecast.flow import Flow, written_for
from oreline.forecast.foreseen import Waiting
from oreline.forecast.later import COMPANIONS_FOUND, Later, items_of_round, of_round, prompts_of_round
from oreline.forecast.ranges import Range, either, total
from oreline.forecast.rendering import SAMPLE, estimate_of
from oreline.llm.requests import Request
from oreline.llm.sharing import portion
from oreline.prompting.prompt import Prompt
from oreline.recipe.settings import Llm, Recipe
from oreline.writing.catalog import chains_of
from oreline.writing.chain import Chain, CompanionChain, DrawingChain, GatheringChain
from oreline.writing.draws import Draws
from oreline.writing.fret import SHOWN_TOKENS
from oreline.writing.work import Work

_DRIFT = Range(0.85, 1.0, 1.15)
_UNKNOWN_PROMPT = Range(500, 1_500, 4_000)
_TITLE = Range(0, 8, 40)
_ANSWER = Range(0, 60, 250)
"""Tokens of what an earlier round wrote, such as a summary, a persona or a task."""


@dataclass(frozen=True)
class Expected:
    """Requests by one of `prompts`: how many, the estimated tokens of a prompt, and what an answer is about."""

    prompts: tuple[Prompt, ...]
    requests: Range
    prompt_tokens: Range
    items: Range
    sample: tuple[Request, ...] = ()


def expected_writing(recipe: Recipe, flow: Flow, llm: Llm) -> list[Expected]:
    """Returns the requests of all writers, round by round; requests about known documents are among them as samples."""
    documents = written_for(recipe, flow)
    found = []
    for chain in chains_of(recipe).values():
        works = works_of(recipe, chain, documents)
        for number in range(len(chain.calls)):
            requests = works * of_round(chain, Waiting(chain.name, 0, number, number))
            if not requests.high:
                continue
            sample = _sample(chain, flow, llm) if number == 0 else []
            unsampled = _unsampled(recipe, flow, chain, requests, number)
            found.append(_sampled(chain, requests, sample) if sample else unsampled)
    return found


def works_of(recipe: Recipe, chain: Chain, documents: Range) -> Range:
    """Returns how many works a writer is expected to have, where so many documents are written for."""
    if isinstance(chain, DrawingChain):
        return Range.exactly(chain.draws)
    own = documents * portion(recipe.synthesize.shares, chain.name)
    return own * COMPANIONS_FOUND if isinstance(chain, (GatheringChain, CompanionChain)) else own


def expected_later(flow: Flow, later: Later) -> Expected:
    """Returns the length of the prompts and answers of requests that wait for earlier answers."""
    tokens = either([_later_tokens(flow, prompt) for prompt in later.prompts])
    return Expected(later.prompts, later.calls, tokens, later.items)


def _unsampled(recipe: Recipe, flow: Flow, chain: Chain, requests: Range, number: int) -> Expected:
    prompts = prompts_of_round(chain, number)
    return Expected(
        prompts,
        requests,
        either([_later_tokens(flow, each) for each in prompts]),
        items_of_round(recipe, chain, number),
    )


def _sampled(chain: Chain, requests: Range, sample: Sequence[Request]) -> Expected:
    tokens = _DRIFT * statistics.fmean(estimate_of(each) for each in sample)
    rendered = {each.prompt_id for each in sample}
    items = Range.exactly(statistics.fmean(each.items for each in sample))
    known = tuple(each for each in chain.prompts if each.id in rendered)
    return Expected(known, requests, tokens, items, tuple(sample))


def _sample(chain: Chain, flow: Flow, llm: Llm) -> list[Request]:
    if isinstance(chain, (GatheringChain, CompanionChain)):
        return []
    if isinstance(chain, DrawingChain):
        works: Sequence[Work] = list(Draws(chain.name, chain.dataset, 0, min(chain.draws, SAMPLE)).works())
    else:
        documents = flow.sample
        chosen = documents[:: max(1, len(documents) // SAMPLE)][:SAMPLE]
        works = [Work(chain.name, document.doc_id, (document,)) for document in chosen]
    return [request for work in works for request in chain.requests(llm, work, [])]


def _later_tokens(flow: Flow, prompt: Prompt) -> Range:
    """Returns the estimated tokens of a prompt that nothing is known of but its file and the documents' lengths."""
    written = estimate_tokens((prompt.system or "") + prompt.user)
    parts = [_DRIFT * written]
    for name, kind in prompt.inputs.items():
        if kind == "corpus" and name == "document":
            parts.append(_DRIFT * _shown(flow) if flow.sample else _UNKNOWN_PROMPT)
        elif kind == "corpus":
            parts.append(_TITLE if name == "title" else _ANSWER)
    return total(parts)


def _shown(flow: Flow) -> float:
    return statistics.fmean(min(each.tokens or estimate_tokens(each.text), SHOWN_TOKENS) for each in flow.sample)


def rescaled(expected: Sequence[Range], now: float) -> list[Range]:
    """Returns ranges that are expected to sum up to `now`, each in proportion, and reach at least as far as before."""
    whole = sum(each.expected for each in expected)
    parts = [each.expected * now / whole if whole else 0.0 for each in expected]
    return [Range(min(each.low, part), part, max(each.high, part)) for each, part in zip(expected, parts, strict=True)]
