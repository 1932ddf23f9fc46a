"""Asking: the LLM work of the filter, all its questions about a block of queries at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from oreline import prompting
from oreline.filters.books import keep
from oreline.filters.parked import park_settled, read_parked
from oreline.filters.quality import QualityQuestion
from oreline.filters.questions import Question, asked_by
from oreline.filters.rater import RaterQuestion
from oreline.filters.safety import SafetyQuestion
from oreline.job import Job, StageWriter
from oreline.judging.answers import GradedAnswer, RaterAnswer, SafetyAnswer
from oreline.llm.requests import Answered, Request
from oreline.recipe.settings import Recipe

_ANSWERS: dict[str, type[BaseModel]] = {"rater": RaterAnswer, "safety": SafetyAnswer, "quality": GradedAnswer}


def questions_of(recipe: Recipe) -> list[Question]:
    """Returns the questions of a recipe, in the order in which they are settled; none without a model."""
    settings = recipe.filter
    found: list[Question] = []
    if recipe.llm_of("filter") is None:
        return found
    if settings.rater is not None:
        found.append(RaterQuestion(settings.rater))
    if settings.safety is not None:
        found.append(SafetyQuestion(settings.safety))
    if settings.quality is not None:
        found.append(QualityQuestion(settings.quality))
    return found


@dataclass(frozen=True)
class Asking:
    """Asks about the parked queries of a block and writes those that stay; with `parks` parks them again instead.

    A `Task` (see `llm.task`). A query is dropped by the first question that it fails.
    """

    parks: bool = False

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests of all questions."""
        llm = job.recipe.llm_of("filter")
        if llm is None:
            raise ValueError("the filter's questions were started without a model; this is a bug in oreline")
        queries = read_parked(block)
        for question in questions_of(job.recipe):
            yield from question.requests(job, llm, queries)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows its question's schema."""
        name, _ = asked_by(request)
        return not isinstance(prompting.parse(_ANSWERS[name], text), prompting.Unusable)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Settles the questions one by one."""
        by_question: dict[str, dict[tuple[str, ...], Answered]] = {}
        for answered in answers:
            name, about = asked_by(answered.request)
            by_question.setdefault(name, {})[about] = answered
        queries = read_parked(block)
        for question in questions_of(job.recipe):
            queries = question.settle(queries, by_question.get(question.name, {}), writer)
        if self.parks:
            park_settled(block, queries)
        else:
            keep(writer, queries)
