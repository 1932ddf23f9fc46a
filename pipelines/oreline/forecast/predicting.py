"""The requests of a stage whose inputs are not there yet: how many, and how long their prompts would be."""

import statistics
from collections.abc import Sequence

from oreline.chunking.tokens import estimate_tokens
from oreline.forecast.flow import Flow, graded_per_query, rated_of, written_for
from oreline.forecast.ranges import Range
from oreline.forecast.rendering import SAMPLE, estimate_of
from oreline.judging import listwise
from oreline.judging.instructions import instruction_of
from oreline.judging.shown import MOST_SHOWN
from oreline.llm.requests import Request, request_for
from oreline.prompting.prompt import Input, Prompt
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Document, Query
from oreline.writing.catalog import chains_of, writer_of
from oreline.writing.chain import DrawingChain, GatheringChain
from oreline.writing.work import Work

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
    if stage == "synthesize":
        writers = sum(writer_of(name).needs_llm for name in dict.fromkeys(recipe.writers()))
        return written_for(recipe, flow) * writers
    if stage == "filter":
        return rated_of(recipe, flow)
    queries = flow.people + flow.written
    graded = graded_per_query(recipe, flow)
    return queries * Range(*(-(-documents // MOST_SHOWN) for documents in (graded.low, graded.expected, graded.high)))


def items_expected(recipe: Recipe, stage: str, flow: Flow) -> Range:
    """Returns what an answer would be about: queries to be written, documents to be graded, or one query."""
    if stage == "synthesize":
        return Range.exactly(recipe.synthesize.per_document)
    return graded_per_query(recipe, flow).at_most(MOST_SHOWN) if stage == "judge" else Range.exactly(1)


def sample_requests(recipe: Recipe, stage: str, flow: Flow, llm: Llm, prompts: Sequence[Prompt]) -> list[Request]:
    """Returns requests like those to come, for the provider's counter: about documents that are known by now.

    Queries that are not written yet are stood for by the beginnings of documents.
    """
    documents = flow.sample
    chosen = documents[:: max(1, len(documents) // SAMPLE)][:SAMPLE]
    if stage == "synthesize":
        chains = [each for each in chains_of(recipe).values() if not isinstance(each, (DrawingChain, GatheringChain))]
        works = [(each, Work(each.name, document.doc_id, (document,))) for document in chosen for each in chains]
        return [request for chain, work in works for request in chain.requests(llm, work, [])]
    if stage == "filter":
        return [_rated(prompts[0], llm, document) for document in chosen]
    texts = {each.doc_id: (each.title, each.text) for each in chosen}
    shown = list(texts)[: recipe.judge.top_k]
    return [listwise.request_of(prompts[0], llm, _query(document), shown, texts) for document in chosen[:_JUDGED]]


def _rated(prompt: Prompt, llm: Llm, document: Document) -> Request:
    query = _query(document)
    inputs: dict[str, Input] = {"instruction": instruction_of(query), "query": query.query}
    rendered = prompt.render({name: value for name, value in inputs.items() if name in prompt.inputs})
    return request_for(llm, rendered, assigned_by=query.query_id, unit_ids=[query.query_id])


def _query(document: Document) -> Query:
    return Query(document.doc_id, document.dataset, document.text[:_QUERY_CHARACTERS], "")


def prompt_estimate(recipe: Recipe, stage: str, flow: Flow, prompt: Prompt, sample: Sequence[Request]) -> Range:
    """Returns the estimated tokens of a prompt of a stage."""
    if stage == "synthesize":
        return _DRIFT * (statistics.fmean(estimate_of(each) for each in sample) if sample else 1_500.0)
    asked = QUERY + INSTRUCTION
    if stage == "filter":
        return asked + Range.exactly(_overhead(prompt, {"instruction": "", "query": ""}))
    empty: dict[str, Input] = {"instruction": "", "query": "", "document": [], "count": recipe.judge.top_k}
    documents = items_expected(recipe, stage, flow) * (_NEIGHBOURS * _shown_tokens(flow) + Range.exactly(_TAGS))
    return asked + documents + Range.exactly(_overhead(prompt, empty))


def _overhead(prompt: Prompt, inputs: dict[str, Input]) -> int:
    rendered = prompt.render({name: value for name, value in inputs.items() if name in prompt.inputs})
    return estimate_tokens((rendered.system or "") + rendered.user)


def _shown_tokens(flow: Flow) -> float:
    """Returns how many tokens of a document the judge is shown, on average."""
    lengths = [
        min(each.tokens or 0, listwise.DOCUMENT_TOKENS) + min(estimate_tokens(each.title or ""), listwise.TITLE_TOKENS)
        for each in flow.sample
    ]
    return statistics.fmean(lengths) if lengths else float(listwise.DOCUMENT_TOKENS)
