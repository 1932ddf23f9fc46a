"""Summarise, then ask: a call brings out what a passage says, another asks for it in the language that is wanted.

SWIM-IR (arXiv 2311.05800, section 3): small models ask better questions, across languages above all, if they have the
passage's summary before them; five examples are shown where languages differ, three where they do not. The paper writes
one question per passage; here each of `per_document` has a language drawn for it, and a call asks for those of one
language.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oreline import prompting
from oreline.ids import Json
from oreline.languages import is_code, language_name, primary
from oreline.llm.requests import Answered, Request
from oreline.llm.sharing import assigned_name
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Document, Pair, Query, Reject
from oreline.scripts import one_line, shortened
from oreline.writing.answers import QuestionsAnswer, SummaryAnswer
from oreline.writing.chain import Answers, answer_of, ask, check_prompt_ids, follows, rejected
from oreline.writing.fret import SHOWN_TOKENS
from oreline.writing.rows import lineage_of, query_of
from oreline.writing.work import Work, Written

OWN = "own"
"""Stands for the document's language among the languages."""

SUMMARY_INPUTS = ("title", "document")
"""What the prompt of the first round may declare as its inputs."""
QUERY_INPUTS = ("title", "document", "summary", "count", "language")
"""What the prompts of the second round may declare as their inputs."""

_SUMMARY_TOKENS = 600
_INSTRUCTION = "Given a question, find a passage that answers it."
_ACROSS = "Given a question, find a passage in any language that answers it."


@dataclass(frozen=True)
class SummarizeChain:
    """The writer retrieval/summarize, of two rounds: the summary, then a call for the questions of each language."""

    name: str
    summary: prompting.Prompt
    own: prompting.Prompt
    across: prompting.Prompt
    languages: tuple[tuple[str, float], ...]
    count: int

    @property
    def prompts(self) -> tuple[prompting.Prompt, ...]:
        """The prompt of the summary, that of questions in its language, and that of questions in another."""
        return self.summary, self.own, self.across

    @property
    def calls(self) -> tuple[float, ...]:
        """One call for the summary, then one for each language that is expected to be drawn."""
        whole = sum(weight for _, weight in self.languages)
        return 1.0, sum(1 - (1 - weight / whole) ** self.count for _, weight in self.languages)

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the request for a summary, then those for the questions about it."""
        document = work.documents[0]
        shown: dict[str, Input] = {
            "title": document.title or "",
            "document": shortened(document.text, SHOWN_TOKENS),
        }
        if not before:
            yield ask(self.summary, llm, work, shown)
        elif len(before) == 1:
            summary = self._summary(work, before)
            if isinstance(summary, Reject):
                return
            for place, (language, count) in enumerate(self.wanted(document).items()):
                told = language if language != OWN else document.lang
                named = language_name(told) if told and is_code(told) else "the language of the passage"
                given = {**shown, "summary": summary, "count": count, "language": named}
                yield ask(self.own if language == OWN else self.across, llm, work, given, place=place)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema of its round."""
        return follows(SummaryAnswer if request.prompt_id == self.summary.id else QuestionsAnswer, text)

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the questions of each language, at most as many as were wanted, none twice."""
        summary = self._summary(work, answered)
        if isinstance(summary, Reject):
            return Written(rejects=(summary,))
        (first,) = answered[0]
        drawn: dict[str, Json] = {
            "summary": summary,
            "summary_key": first.request.key,
            "summary_attempt": first.answer.attempt if first.answer else None,
        }
        queries: dict[str, Query] = {}
        rejects: list[Reject] = []
        for (language, count), each in zip(self.wanted(work.documents[0]).items(), answered[1], strict=True):
            answer = answer_of(QuestionsAnswer, work, each)
            if isinstance(answer, Reject):
                rejects.append(answer)
                continue
            found: dict[str, Query] = {}
            for place, text in enumerate(answer.questions):
                query = _query(work, each, place, text, {"language": language, **drawn})
                if len(found) < count and query.query_hash not in queries:
                    found.setdefault(query.query_hash, query)
            queries |= found
        pairs = [Pair(each.query_id, work.unit, "positive", "seed") for each in queries.values()]
        return Written(tuple(queries.values()), tuple(pairs), rejects=tuple(rejects))

    def wanted(self, document: Document) -> Mapping[str, int]:
        """Returns how many questions are wanted in each language, `own` for the document's, in the order drawn.

        They are drawn as writers are (`assigned_name`): a language that is added moves no draw between the others.
        """
        weights = dict(self.languages)
        found = Counter[str]()
        for place in range(self.count):
            language = assigned_name(weights, f"{self.name} language {place} {document.doc_id}")
            is_own = document.lang is not None and primary(language) == primary(document.lang)
            found[OWN if is_own else language] += 1
        return found

    def _summary(self, work: Work, answered: Answers) -> str | Reject:
        (only,) = answered[0]
        answer = answer_of(SummaryAnswer, work, only)
        if isinstance(answer, Reject):
            return answer
        summary = shortened(one_line(answer.summary), _SUMMARY_TOKENS)
        return summary or rejected(work, only, "the summary is empty")


def summarize(name: str, recipe: Recipe) -> SummarizeChain:
    """Returns the chain of retrieval/summarize; raises PromptError as `load` does."""
    sources = [prompting.source_of(recipe.prompts, f"retrieval/{each}") for each in _PROMPTS]
    prompts = (
        prompting.load(sources[0], SummaryAnswer, SUMMARY_INPUTS),
        prompting.load(sources[1], QuestionsAnswer, QUERY_INPUTS),
        prompting.load(sources[2], QuestionsAnswer, QUERY_INPUTS),
    )
    check_prompt_ids(prompts)
    languages = tuple(recipe.synthesize.summarize.languages.items())
    return SummarizeChain(name, *prompts, languages, recipe.synthesize.per_document)


_PROMPTS = ("summarize", "summarize_query", "summarize_crosslingual")


def _query(work: Work, answered: Answered, place: int, text: str, drawn: dict[str, Json]) -> Query:
    document, language = work.documents[0], str(drawn["language"])
    return query_of(
        document.dataset,
        text,
        lineage_of(work, answered, place, drawn),
        task_type="question_answering",
        instruction=_INSTRUCTION if language == OWN else _ACROSS,
        lang=document.lang if language == OWN else language,
    )
