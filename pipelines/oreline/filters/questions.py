"""Questions: what the filter asks a model about queries, and what becomes of the queries by its answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from pydantic import BaseModel

from oreline import prompting
from oreline.filters.judged import JudgedQuery
from oreline.ids import Json
from oreline.job import Job, StageWriter
from oreline.llm.requests import Answered, Request, request_for
from oreline.prompting import Unusable
from oreline.prompting.prompt import Input, Prompt
from oreline.recipe.settings import Llm, Recipe

Answer = TypeVar("Answer", bound=BaseModel)

AnswersOf = Mapping[tuple[str, ...], Answered]
"""The answers to one question, by what each is about: (query_id,) or (query_id, doc_id)."""


class Question(Protocol):
    """One question. It is asked of all queries that it is for, and settled in turn with the others."""

    @property
    def name(self) -> str:
        """What tells its requests from those of other questions."""
        ...

    def prompt(self, recipe: Recipe) -> Prompt:
        """Reads its prompt; raises PromptError if that cannot be used."""
        ...

    def requests(self, job: Job, llm: Llm, queries: Sequence[JudgedQuery]) -> Iterator[Request]:
        """Yields its requests about some queries."""
        ...

    def settle(self, queries: Sequence[JudgedQuery], answers: AnswersOf, writer: StageWriter) -> list[JudgedQuery]:
        """Returns the queries that stay, and tells what goes."""
        ...


@dataclass(frozen=True)
class Unanswered:
    """Why a request has no answer that can be used: a reject reason, a sentence, and the request."""

    reason: str
    detail: str
    by: str


def request_about(prompt: Prompt, llm: Llm, name: str, about: Sequence[str], inputs: Mapping[str, Input]) -> Request:
    """Returns a question's request; `about` is the query's id, and a document's. Inputs not declared are left out."""
    rendered = prompt.render({key: value for key, value in inputs.items() if key in prompt.inputs})
    context: list[Json] = [name, *about]
    return request_for(llm, rendered, assigned_by=about[0], unit_ids=[about[0]], context=context)


def asked_by(request: Request) -> tuple[str, tuple[str, ...]]:
    """Returns the name of the question that a request is of, and what it is about."""
    name, *about = cast("list[str]", json.loads(request.context))
    return name, tuple(about)


def answer_of(model: type[Answer], answered: Answered) -> Answer | Unanswered:
    """Returns what an answer says, or why it cannot be used."""
    key = answered.request.key
    if answered.reject is not None:
        return Unanswered(answered.reject, answered.detail or answered.reject, key)
    parsed = prompting.parse(model, answered.text)
    return Unanswered(parsed.reason, parsed.detail, key) if isinstance(parsed, Unusable) else parsed
