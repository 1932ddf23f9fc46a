"""FRet: what a model is asked about a document, and the queries in its answer (Gecko, arXiv 2403.20327, §3.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

from oreline import ids, prompting
from oreline.llm.requests import Answered, Request
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Content, Pair, Query, Reject
from oreline.scripts import shortened
from oreline.writing.answers import FRET_INPUTS, FretAnswer, FretQuery, WrittenTask
from oreline.writing.chain import Answers, answer_of, ask, follows
from oreline.writing.rows import KIND, lineage_of, query_of
from oreline.writing.work import Work, Written

SHOWN_TOKENS = 6_000
"""A document is shown up to here, in estimated tokens."""

_KINDS: tuple[str, ...] = get_args(WrittenTask)
_KINDS_OF_TEXT = tuple(kind for kind in _KINDS if kind != "code_retrieval")


@lru_cache(maxsize=32_768)
def suggested_kinds(doc_id: str, content: Content, count: int) -> tuple[str, ...]:
    """Returns the kinds of tasks that are suggested for a document, drawn by sha256 of its id.

    Without a suggestion models write questions and little else, while a uniform mix of kinds trains best (Gecko,
    §4). `code_retrieval` is drawn for code alone. The recipe's seed stays out: another seed should buy no new answers.
    """
    kinds = _KINDS if content == "code" else _KINDS_OF_TEXT
    fractions = ids.seeded_fractions(0, ("kind", doc_id), kinds)
    drawn = sorted(kinds, key=dict(zip(kinds, fractions, strict=True)).__getitem__)
    return tuple(drawn[place % len(drawn)] for place in range(count))


@dataclass(frozen=True)
class FretChain:
    """A writer of one round: tasks with queries for a document, by FRet's prompt or one of the user's own."""

    name: str
    prompt: prompting.Prompt
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
            "kinds": ", ".join(suggested_kinds(document.doc_id, document.content, self.count)),
        }
        yield ask(self.prompt, llm, work, inputs)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows FRet's schema."""
        del request  # all its requests are answered alike
        return follows(FretAnswer, text)

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the queries of the answer, at most `count`, none twice."""
        (only,) = answered[0]
        answer = answer_of(FretAnswer, work, only)
        if isinstance(answer, Reject):
            return Written(rejects=(answer,))
        document = work.documents[0]
        suggested = suggested_kinds(document.doc_id, document.content, self.count)
        queries: dict[str, Query] = {}
        for place, written in enumerate(answer.queries):
            query = _query(work, only, place, written, suggested)
            if len(queries) < self.count:
                queries.setdefault(query.query_hash, query)
        pairs = [Pair(each.query_id, work.unit, "positive", "seed") for each in queries.values()]
        return Written(tuple(queries.values()), tuple(pairs))


def fret(name: str, source: str, recipe: Recipe) -> FretChain:
    """Returns the chain of FRet's writer, or of a prompt file that is answered as FRet's is."""
    prompt = prompting.load(prompting.source_of(recipe.prompts, source), FretAnswer, FRET_INPUTS)
    return FretChain(name, prompt, recipe.synthesize.per_document)


def _query(work: Work, answered: Answered, place: int, written: FretQuery, suggested: tuple[str, ...]) -> Query:
    document = work.documents[0]
    return query_of(
        document.dataset,
        written.query,
        lineage_of(work, answered, place, _drawn(suggested, written.task_type)),
        # No encoder has a prefix for tasks of a model's own invention: all of them look for something.
        task_type="retrieval" if written.task_type == "free_form" else written.task_type,
        instruction=written.task,
        lang=document.lang,
    )


@lru_cache(maxsize=4_096)
def _drawn(suggested: tuple[str, ...], kind: str) -> str:
    """Returns what was suggested and what the model chose, as canonical JSON; there are few of both."""
    return ids.canonical_json({"suggested": [*suggested], KIND: kind}).decode()
