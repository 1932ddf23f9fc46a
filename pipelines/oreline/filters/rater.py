"""The rater: an LLM's answer to "would somebody type this?", one call per query."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oreline import prompting
from oreline.filters.books import drop
from oreline.filters.judged import JudgedQuery
from oreline.filters.questions import AnswersOf, Unanswered, answer_of, request_about
from oreline.filters.rates import source_of
from oreline.job import Job, StageWriter
from oreline.judging.answers import RATER_INPUTS, RaterAnswer
from oreline.judging.instructions import instruction_of
from oreline.llm.requests import Answered, Request
from oreline.prompting.prompt import Prompt
from oreline.recipe.settings import Llm, Rater, Recipe
from oreline.records import Query, Rating
from oreline.scripts import one_line

HISTOGRAM = "ratings"
"""The fact with the numbers of rated queries, kept or not, by dataset, writer and grade."""


def active_rater(recipe: Recipe) -> Rater | None:
    """Returns the rater's settings, or None if no query is rated: it is off, or there is no model."""
    return recipe.filter.rater if recipe.llm_of("filter") is not None else None


@dataclass(frozen=True)
class RaterQuestion:
    """Would somebody type this? Asked about written queries, with `human` about all.

    Queries with a class are not rated: they are texts to be classified, and nothing that one types.
    """

    settings: Rater
    name: str = "rater"

    def prompt(self, recipe: Recipe) -> Prompt:
        """Reads the prompt."""
        source = prompting.source_of(recipe.prompts, self.settings.prompt)
        return prompting.load(source, RaterAnswer, RATER_INPUTS)

    def requests(self, job: Job, llm: Llm, queries: Sequence[JudgedQuery]) -> Iterator[Request]:
        """Yields a request per query that is rated."""
        prompt = self.prompt(job.recipe)
        for query in (judged.query for judged in queries):
            if query.group is None and (self.settings.human or query.origin != "human"):
                yield rating_request(prompt, llm, query)

    def settle(self, queries: Sequence[JudgedQuery], answers: AnswersOf, writer: StageWriter) -> list[JudgedQuery]:
        """Gives queries their ratings; drops those below `keep_from` and those without a usable answer."""
        kept = []
        for judged in queries:
            answered = answers.get((judged.query.query_id,))
            if answered is None:
                kept.append(judged)
                continue
            rating = rating_of(answered)
            if isinstance(rating, Unanswered):
                drop(writer, judged, rating.reason, rating.detail, rating.by)
                continue
            writer.tally(HISTOGRAM, judged.query.dataset, source_of(judged.query), str(rating.grade))
            if rating.grade < self.settings.keep_from:
                least = f"filter.rater.keep_from is {self.settings.keep_from}"
                detail = f"graded {rating.grade}, {least}: {rating.reason or '-'}"
                drop(writer, judged, "low_rate", detail, rating.request_key)
            else:
                kept.append(replace(judged, query=replace(judged.query, rating=rating)))
        return kept


def rating_request(prompt: Prompt, llm: Llm, query: Query) -> Request:
    """Returns the rater's request about a query."""
    inputs = {"instruction": instruction_of(query), "query": query.query}
    return request_about(prompt, llm, "rater", [query.query_id], inputs)


def rating_of(answered: Answered) -> Rating | Unanswered:
    """Returns the rating that an answer holds, or why it holds none."""
    answer = answer_of(RaterAnswer, answered)
    if isinstance(answer, Unanswered):
        return answer
    return Rating(answer.grade, one_line(answer.reason) or None, answered.request.model, answered.request.key)
