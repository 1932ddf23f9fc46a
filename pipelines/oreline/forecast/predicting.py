"""The requests of a stage whose inputs are not there yet: how many, and how long their prompts would be."""

import statistics
from collections.abc import Sequence

from oreline.chunking.tokens import estimate_tokens
from oreline.filters.quality import DOCUMENT_TOKENS
from oreline.forecast.flow import Flow, asked_in_filter
from oreline.forecast.judged import prompt_of_scorer, requests_of_scorer, sample_of_scorer, shown_of_scorer
from oreline.forecast.ranges import Range, total
from oreline.forecast.rendering import SAMPLE
from oreline.judging.instructions import instruction_of
from oreline.judging.scorers import model_scorers
from oreline.llm.requests import Request, request_for
from oreline.prompting.prompt import Input, Prompt
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Document, Query
from oreline.scripts import shortened

QUERY = Range(4, 14, 45)
"""Estimated tokens of a query."""

INSTRUCTION = Range(6, 20, 40)
"""Estimated tokens of an instruction."""

_JUDGED = 8
_QUERY_CHARACTERS = 60
_TAGS = 9
_DRIFT = Range(0.85, 1.0, 1.15)
_NEIGHBOURS = Range(0.75, 1.0, 1.3)


def requests_of(recipe: Recipe, stage: str, flow: Flow) -> Range:
    """Returns how many requests a stage is expected to have."""
    if stage == "filter":
        return total(list(asked_in_filter(recipe, flow).values()))
    return requests_of_scorer(recipe, flow, model_scorers(recipe)[0])


def items_expected(recipe: Recipe, stage: str, flow: Flow) -> Range:
    """Returns what an answer would be about: queries to be written, documents to be graded, or one query."""
    return shown_of_scorer(recipe, flow, model_scorers(recipe)[0]) if stage == "judge" else Range.exactly(1)


def sample_requests(recipe: Recipe, stage: str, flow: Flow, llm: Llm, prompts: Sequence[Prompt]) -> list[Request]:
    """Returns requests like those to come, for the provider's counter: about documents that are known by now.

    Queries that are not written yet are stood for by the beginnings of documents.
    """
    documents = flow.sample
    chosen = documents[:: max(1, len(documents) // SAMPLE)][:SAMPLE]
    if stage == "filter":
        return [_about(prompt, llm, document) for document in chosen for prompt in prompts]
    return sample_of_scorer(recipe, flow, model_scorers(recipe)[0], sample_queries(flow))


def _about(prompt: Prompt, llm: Llm, document: Document) -> Request:
    """Returns a request of a question of the filter."""
    query = _query(document)
    inputs: dict[str, Input] = {"instruction": instruction_of(query), "query": query.query}
    inputs["document"] = shortened(document.text, DOCUMENT_TOKENS)
    rendered = prompt.render({name: value for name, value in inputs.items() if name in prompt.inputs})
    return request_for(llm, rendered, assigned_by=query.query_id, unit_ids=[query.query_id])


def sample_queries(flow: Flow) -> list[Query]:
    """Returns what stands for queries that are not written yet: the beginnings of some documents."""
    documents = flow.sample
    return [_query(each) for each in documents[:: max(1, len(documents) // SAMPLE)][:SAMPLE]]


def _query(document: Document) -> Query:
    return Query(document.doc_id, document.dataset, document.text[:_QUERY_CHARACTERS], "")


def prompt_estimate(recipe: Recipe, stage: str, flow: Flow, prompts: Sequence[Prompt]) -> Range:
    """Returns the estimated tokens of a prompt of a stage."""
    asked = QUERY + INSTRUCTION
    if stage == "filter":
        numbers = [each.expected for each in asked_in_filter(recipe, flow).values()]
        lengths = [_length(each, asked, flow) for each in prompts]
        whole = total([length * number for length, number in zip(lengths, numbers, strict=True)])
        return whole * (1 / sum(numbers)) if sum(numbers) else lengths[0]
    scorer = model_scorers(recipe)[0]
    shown = shown_of_scorer(recipe, flow, scorer)
    return prompt_of_scorer(scorer, scorer.llm.members()[0], flow, (QUERY, INSTRUCTION), shown)


def _length(prompt: Prompt, asked: Range, flow: Flow) -> Range:
    """Returns the estimated tokens of a question of the filter."""
    length = asked + Range.exactly(_overhead(prompt, {"instruction": "", "query": "", "document": ""}))
    if "document" not in prompt.inputs or not flow.sample:
        return length
    shown = statistics.fmean(min(each.tokens or 0, DOCUMENT_TOKENS) for each in flow.sample)
    return length + _NEIGHBOURS * shown


def _overhead(prompt: Prompt, inputs: dict[str, Input]) -> int:
    rendered = prompt.render({name: value for name, value in inputs.items() if name in prompt.inputs})
    return estimate_tokens((rendered.system or "") + rendered.user)
