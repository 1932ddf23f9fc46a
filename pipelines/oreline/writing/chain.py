"""Chains: writers that call a model, in one round of calls or in several that build on each other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar, cast, runtime_checkable

from pydantic import BaseModel

from oreline import prompting
from oreline.job import Job
from oreline.llm.requests import Answered, Request, request_for
from oreline.prompting import Prompt, PromptError
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm
from oreline.records import Document, Reject
from oreline.writing.work import Work, Written

Model = TypeVar("Model", bound=BaseModel)

Answers = Sequence[Sequence[Answered]]
"""The answers about one work: of each round so far, in the order in which its requests were made."""


class Chain(Protocol):
    """A writer that calls a model. It is picklable, depends on the recipe alone, and draws by sha256 of ids only."""

    @property
    def name(self) -> str:
        """The writer's name in the recipe, in works and in lineage."""
        ...

    @property
    def prompts(self) -> Sequence[Prompt]:
        """All prompts that it renders, in the order of their first use."""
        ...

    @property
    def calls(self) -> Sequence[float]:
        """How many requests a work has in each round: in the first exactly, in a later one the most or a mean.

        A whole number is taken for the most, another one for an expected mean (see `forecast.later`).
        """
        ...

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the requests of the round that follows `before`; none if there is nothing (more) to ask.

        It is asked in every round of the stage, also in those after its own last.
        """
        ...

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer's text follows the schema of its round."""
        ...

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns what the answers give, of all rounds of the stage; each of them may be a reject."""
        ...


@runtime_checkable
class DrawingChain(Chain, Protocol):
    """A chain that writes documents from nothing: one work per draw, from 0."""

    @property
    def dataset(self) -> str:
        """The dataset of what it writes."""
        ...

    @property
    def draws(self) -> int:
        """How many works there are."""
        ...


@runtime_checkable
class GatheringChain(Chain, Protocol):
    """A chain that shows a document's companions beside it."""

    def works(self, job: Job, documents: Sequence[Document]) -> Iterator[Work]:
        """Yields a work for each of the documents that has companions."""
        ...


@runtime_checkable
class CompanionChain(Chain, Protocol):
    """A chain that shows documents with others of the whole corpus, which were looked for and parked by block."""

    def works_of_block(self, job: Job, block: bytes, documents: Sequence[Document]) -> Iterator[Work]:
        """Yields a work for each of some documents of a block that has companions."""
        ...


@runtime_checkable
class ReadingChain(Chain, Protocol):
    """A chain that depends on files besides its prompts; what stands in them enters the stage's fingerprint."""

    @property
    def digests(self) -> Mapping[str, str]:
        """The sha256 of each file's contents, by what it is."""
        ...


def check_prompt_ids(prompts: Sequence[Prompt]) -> None:
    """Raises PromptError if two prompts of a chain have one id: an answer must tell which of them it belongs to."""
    by_id: dict[str, str] = {}
    for prompt in prompts:
        if (other := by_id.setdefault(prompt.id, prompt.source)) != prompt.source:
            raise PromptError(f"{prompt.source}: its id {prompt.id!r} is that of {other}; give it another")


def ask(prompt: Prompt, llm: Llm, work: Work, inputs: Mapping[str, Input], *, place: int = 0, draw: int = 0) -> Request:
    """Returns a chain's request about a work; `place` numbers several of one round, `draw` equal prompts of one.

    Its context is JSON: [writer, unit, place].
    """
    given = {name: value for name, value in inputs.items() if name in prompt.inputs}
    return request_for(
        llm,
        prompt.render(given),
        assigned_by=work.unit,
        unit_ids=[work.unit],
        context=[work.writer, work.unit, place],
        draw=draw,
    )


def writer_and_unit(request: Request) -> tuple[str, str]:
    """Returns the names of the writer and the unit that a chain's request is about."""
    writer, unit, _ = cast("tuple[str, str, int]", tuple(json.loads(request.context)))
    return writer, unit


def rejected(work: Work, answered: Answered, detail: str | None = None, reason: str = "unparsable") -> Reject:
    """Returns the reject of an answer that gives no row: the answer's own reason if it has one, else the given one."""
    raw = answered.answer.text if answered.answer else None
    if answered.reject is not None:
        reason, detail = answered.reject, answered.detail
    table = "documents" if work.documents else "queries"
    return Reject(work.unit, table, reason, detail or "no detail was given", by=answered.request.key, payload=raw)


def answer_of(model: type[Model], work: Work, answered: Answered) -> Model | Reject:
    """Returns an answer by its schema, or the reject of one that cannot be used."""
    if answered.reject is not None:
        return rejected(work, answered)
    answer = prompting.parse(model, answered.text)
    return rejected(work, answered, answer.detail) if isinstance(answer, prompting.Unusable) else answer


def follows(model: type[BaseModel], text: str) -> bool:
    """Says whether an answer's text follows a schema."""
    return not isinstance(prompting.parse(model, text), prompting.Unusable)
