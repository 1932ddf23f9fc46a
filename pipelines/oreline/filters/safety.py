"""The safety question: is there harm in a query? SWIM-IR (arXiv 2311.05800) drops what is adult or sensitive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oreline import prompting
from oreline.filters.books import drop
from oreline.filters.judged import JudgedQuery
from oreline.filters.questions import AnswersOf, Unanswered, answer_of, request_about
from oreline.job import Job, StageWriter
from oreline.judging.answers import SAFETY_INPUTS, SafetyAnswer
from oreline.llm.requests import Request
from oreline.prompting.prompt import Prompt
from oreline.recipe.settings import Llm, Recipe, Safety
from oreline.scripts import one_line

_SHIELDED = ("blocked", "refused")


@dataclass(frozen=True)
class SafetyQuestion:
    """Is there harm in a query? Asked about written queries, with `human` about all."""

    settings: Safety
    name: str = "safety"

    def prompt(self, recipe: Recipe) -> Prompt:
        """Reads the prompt."""
        source = prompting.source_of(recipe.prompts, self.settings.prompt)
        return prompting.load(source, SafetyAnswer, SAFETY_INPUTS)

    def requests(self, job: Job, llm: Llm, queries: Sequence[JudgedQuery]) -> Iterator[Request]:
        """Yields a request per query that is asked about."""
        prompt = self.prompt(job.recipe)
        for query in (judged.query for judged in queries):
            if self.settings.human or query.origin != "human":
                yield request_about(prompt, llm, self.name, [query.query_id], {"query": query.query})

    def settle(self, queries: Sequence[JudgedQuery], answers: AnswersOf, writer: StageWriter) -> list[JudgedQuery]:
        """Drops or flags what is harmful, and what the provider itself would not touch; drops what has no answer."""
        kept = []
        for judged in queries:
            answered = answers.get((judged.query.query_id,))
            if answered is None:
                kept.append(judged)
                continue
            key, answer = answered.request.key, answer_of(SafetyAnswer, answered)
            if isinstance(answer, Unanswered) and answer.reason not in _SHIELDED:
                drop(writer, judged, answer.reason, answer.detail, key)
                continue
            harm, reason = _told(answer)
            if harm == "none":
                kept.append(judged)
            elif self.settings.action == "drop":
                drop(writer, judged, "unsafe", f"{harm}: {reason or '-'}", key)
            else:
                writer.count("flagged_unsafe")
                kept.append(replace(judged, query=replace(judged.query, unsafe=harm)))
        return kept


def _told(answer: SafetyAnswer | Unanswered) -> tuple[str, str]:
    if isinstance(answer, Unanswered):
        return answer.reason, answer.detail
    return answer.harm, one_line(answer.reason)
