"""Writers for code: descriptions of a piece of code, and questions that code or its documentation answers.

Both directions of synthetic code data (Gemini Embedding 2, arXiv 2605.27295, where it brings most): text to code, and
the questions of people at work, some with code of their own. The reverse pair of what `extractive/docstring` finds.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from oreline import ids, prompting
from oreline.job import Job
from oreline.llm.requests import Answered, Request
from oreline.normalise import query_hash
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Document, Pair, Query, TaskType
from oreline.scripts import shortened
from oreline.writing.chain import Answers, ask, rejected
from oreline.writing.code_answers import CodeDescriptions, CodeQuestions
from oreline.writing.fret import SHOWN_TOKENS
from oreline.writing.rows import KIND, lineage_of, query_of
from oreline.writing.work import Work, Written

DESCRIBE_INPUTS = ("title", "document", "count", "styles")
"""What the prompt of code/describe may declare as its inputs."""
QUESTION_INPUTS = ("title", "document", "count", "kinds")
"""What the prompt of code/question may declare as its inputs."""

_DESCRIBED = "Given a description of what code should do, find the code that does it."
_ASKED = "Given a programmer's question, find the code or documentation that answers it."
_BLANKS = re.compile(r"[ \t]+\n")
_FENCE = "```"

Said = list[tuple[str, str]]
"""Kind and text of each query in an answer."""


@dataclass(frozen=True)
class CodeChain:
    """A writer of one round whose answers are queries of several kinds; `parse` says which, or why there are none.

    `suggested` names the prompt's input for the kinds, of which `count` are drawn by the document's id.
    """

    name: str
    prompt: prompting.Prompt
    parse: Callable[[str], Said | str]
    instruction: str
    suggested: str
    kinds: Sequence[str]
    count: int

    @property
    def prompts(self) -> tuple[prompting.Prompt, ...]:
        """Its one prompt."""
        return (self.prompt,)

    @property
    def calls(self) -> tuple[float, ...]:
        """One call per document."""
        return (1.0,)

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the request for `count` queries about a document."""
        if before:
            return
        document = work.documents[0]
        inputs: dict[str, Input] = {
            "title": document.title or "",
            "document": shortened(document.text, SHOWN_TOKENS),
            "count": self.count,
            self.suggested: ", ".join(drawn_kinds(self.name, document.doc_id, self.kinds, self.count)),
        }
        yield ask(self.prompt, llm, work, inputs)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema."""
        del request  # all its requests are answered alike
        return not isinstance(self.parse(text), str)

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the queries of the answer, at most `count`, none twice."""
        (only,) = answered[0]
        if only.reject is not None:
            return Written(rejects=(rejected(work, only),))
        said = self.parse(only.text)
        if isinstance(said, str):
            return Written(rejects=(rejected(work, only, said),))
        queries: dict[str, Query] = {}
        for place, (kind, text) in enumerate(said):
            query = self._query(work, only, place, kind, text)
            if len(queries) < self.count:
                queries.setdefault(query.query_hash, query)
        pairs = [Pair(each.query_id, work.unit, "positive", "seed") for each in queries.values()]
        return Written(tuple(queries.values()), tuple(pairs))

    def _query(self, work: Work, answered: Answered, place: int, kind: str, text: str) -> Query:
        document = work.documents[0]
        query = query_of(
            document.dataset,
            text,
            lineage_of(work, answered, place, {KIND: kind}),
            task_type=_TASK,
            instruction=self.instruction,
            lang=document.lang,
        )
        if _FENCE not in text:
            return query
        kept = _BLANKS.sub("\n", text)  # lines carry meaning in code
        return replace(query, query=kept, query_hash=query_hash(kept))


@dataclass(frozen=True)
class DescribeChain(CodeChain):
    """The writer of descriptions, which leaves documents that hold no code to other writers."""

    def works(self, job: Job, documents: Sequence[Document]) -> Iterator[Work]:
        """Yields a work for each document of code."""
        del job  # the documents say it themselves
        return (Work(self.name, each.doc_id, (each,)) for each in documents if each.content == "code")


_TASK: TaskType = "code_retrieval"


def drawn_kinds(writer: str, doc_id: str, kinds: Sequence[str], count: int) -> list[str]:
    """Returns `count` kinds for a document, drawn by sha256 of its id; none twice before all came once."""
    drawn = sorted(kinds, key=lambda kind: ids.seeded_fraction(0, writer, doc_id, kind))
    return [drawn[place % len(drawn)] for place in range(count)]


def describe(name: str, recipe: Recipe) -> CodeChain:
    """Returns the chain of code/describe: descriptions of code, which is the positive."""
    source = prompting.source_of(recipe.prompts, "code/describe")
    prompt = prompting.load(source, CodeDescriptions, DESCRIBE_INPUTS)
    styles, count = recipe.synthesize.describe.styles, recipe.synthesize.per_document
    return DescribeChain(name, prompt, _descriptions, _DESCRIBED, "styles", styles, count)


def question(name: str, recipe: Recipe) -> CodeChain:
    """Returns the chain of code/question: questions that code, or a text about code, answers."""
    source = prompting.source_of(recipe.prompts, "code/question")
    prompt = prompting.load(source, CodeQuestions, QUESTION_INPUTS)
    kinds, count = recipe.synthesize.question.kinds, recipe.synthesize.per_document
    return CodeChain(name, prompt, _questions, _ASKED, "kinds", kinds, count)


def _descriptions(text: str) -> Said | str:
    answer = prompting.parse(CodeDescriptions, text)
    if isinstance(answer, prompting.Unusable):
        return answer.detail
    return [(each.style, each.query) for each in answer.descriptions]


def _questions(text: str) -> Said | str:
    answer = prompting.parse(CodeQuestions, text)
    if isinstance(answer, prompting.Unusable):
        return answer.detail
    return [(each.kind, each.query) for each in answer.code_questions]
