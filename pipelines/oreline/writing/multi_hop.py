"""Multi-hop: queries that need two chunks of a document, or two documents; both are positives.

The first call writes down a fact from each document and then what needs both; the second, if the recipe wants it, reads
each document for itself and says which of them a query needs. What needs one alone is dropped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from oreline import ids, prompting
from oreline.ids import Json
from oreline.job import Job
from oreline.llm.requests import Answered, Request
from oreline.normalise import query_hash
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm, MultiHop, Recipe
from oreline.records import Document, Pair, Query, Reject
from oreline.scripts import one_line, shortened
from oreline.writing.chain import Answers, ask, check_prompt_ids, rejected
from oreline.writing.code import drawn_kinds
from oreline.writing.companions import companions, parked_companions
from oreline.writing.fret import SHOWN_TOKENS
from oreline.writing.multi_hop_answers import Connection, MultiHopAnswer, MultiHopVerdict, MultiHopVerdicts
from oreline.writing.rows import KIND, lineage_of, query_of
from oreline.writing.work import Work, Written

WRITE_INPUTS = ("document", "count", "kinds")
"""What the prompt that writes may declare as its inputs."""
CHECK_INPUTS = ("document", "query", "count")
"""What the prompt that checks may declare as its inputs."""
KINDS = ("bridge", "comparison", "combination", "sequence")

_INSTRUCTION = (
    "Given a question that takes several documents to answer, find those that each hold a part of the answer."
)


@dataclass(frozen=True)
class MultiHopChain:
    """The writer retrieval/multi_hop: one call per pair of documents, and one that checks what it wrote."""

    name: str
    write: prompting.Prompt
    check: prompting.Prompt
    settings: MultiHop
    count: int
    # A block is gone through slice by slice: what is parked of the last one is read once.
    _kept: dict[bytes, pa.Table | None] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def prompts(self) -> tuple[prompting.Prompt, ...]:
        """The prompt that writes, and the one that checks if it is used."""
        return (self.write, self.check) if self.settings.check else (self.write,)

    @property
    def calls(self) -> tuple[float, ...]:
        """One call to write, one to check."""
        return (1.0, 1.0) if self.settings.check else (1.0,)

    def works_of_block(self, job: Job, block: bytes, documents: Sequence[Document]) -> Iterator[Work]:
        """Yields each document that has companions with one of them; of two kinds one is drawn by the id."""
        if block not in self._kept:
            self._kept.clear()
            self._kept[block] = parked_companions(job, block)
        found = companions(self._kept[block], [each.doc_id for each in documents])
        for document in documents:
            offered = found.get(document.doc_id, [])
            if offered:
                draw = ids.seeded_fraction(0, self.name, document.doc_id, "companion")
                yield Work(self.name, document.doc_id, (document, offered[int(draw * len(offered))].document))

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the request for queries, then the one that checks them."""
        if not before:
            kinds = drawn_kinds(self.name, work.unit, KINDS, len(KINDS))
            inputs: dict[str, Input] = {
                "document": [_shown(each) for each in work.documents],
                "count": self.count,
                "kinds": ", ".join(kinds),
            }
            yield ask(self.write, llm, work, inputs)
        elif len(before) == 1 and self.settings.check:
            connections, _ = self._connections(work, before)
            if connections:
                given: dict[str, Input] = {
                    "document": [_shown(work.documents[number - 1]) for number in self._order(work)],
                    "query": [each.query for _, each in connections],
                    "count": len(connections),
                }
                yield ask(self.check, llm, work, given)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema of its round, and names no query twice."""
        if request.prompt_id == self.write.id:
            return not isinstance(prompting.parse(MultiHopAnswer, text), prompting.Unusable)
        answer = prompting.parse(MultiHopVerdicts, text)
        if isinstance(answer, prompting.Unusable):
            return False
        numbers = [each.query for each in answer.verdicts]
        return len(set(numbers)) == len(numbers) > 0

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the queries that need both documents, both of them positives, and why the others do not stay."""
        connections, rejects = self._connections(work, answered)
        queries: list[Query] = []
        verdicts = self._verdicts(work, connections, answered)
        if isinstance(verdicts, Reject):
            return Written(rejects=(*rejects, verdicts))
        for number, (place, connection) in enumerate(connections, start=1):
            query = self._query(work, answered[0][0], place, connection)
            problem = _needs_one(verdicts.get(number), self._order(work)) if self.settings.check else None
            if problem is None:
                queries.append(query)
            else:
                rejects.append(_single(query, problem, answered[1][0].request.key))
        pairs = [
            Pair(query.query_id, document.doc_id, "positive", "seed")
            for query in queries
            for document in work.documents
        ]
        return Written(tuple(queries), tuple(pairs), rejects=tuple(rejects))

    def _connections(self, work: Work, answered: Answers) -> tuple[list[tuple[int, Connection]], list[Reject]]:
        """Returns the first `count` distinct queries that are said to need both, with their place in the answer."""
        (only,) = answered[0]
        if only.reject is not None:
            return [], [rejected(work, only)]
        answer = prompting.parse(MultiHopAnswer, only.text)
        if isinstance(answer, prompting.Unusable):
            return [], [rejected(work, only, answer.detail)]
        if not answer.connections:
            return [], [rejected(work, only, "the model found no query that needs both documents", "no_connection")]
        kept: dict[str, tuple[int, Connection]] = {}
        rejects: list[Reject] = []
        for place, each in enumerate(answer.connections):
            if set(each.needs) == {1, 2}:
                if len(kept) < self.count:
                    kept.setdefault(query_hash(each.query), (place, each))
            else:
                named = ", ".join(str(number) for number in each.needs) or "none"
                detail = f"its writer says that it needs of the two documents: {named}"
                rejects.append(_single(self._query(work, only, place, each), detail, only.request.key))
        return list(kept.values()), rejects

    def _verdicts(
        self, work: Work, connections: Sequence[tuple[int, Connection]], answered: Answers
    ) -> dict[int, MultiHopVerdict] | Reject:
        """Returns the verdicts by the number of the query, or why there are none."""
        if not self.settings.check or not connections:
            return {}
        (only,) = answered[1]
        if only.reject is not None:
            return rejected(work, only)
        answer = prompting.parse(MultiHopVerdicts, only.text)
        if isinstance(answer, prompting.Unusable):
            return rejected(work, only, answer.detail)
        return {each.query: each for each in answer.verdicts}

    def _order(self, work: Work) -> list[int]:
        """Returns the documents' numbers as the check shows them, turned round for half of the works, by the id.

        What one model says of `document 1` should not depend on which document was called so before.
        """
        turned = ids.seeded_fraction(0, self.name, work.unit, "order") < 1 / 2
        return [2, 1] if turned else [1, 2]

    def _query(self, work: Work, answered: Answered, place: int, connection: Connection) -> Query:
        first, second = work.documents
        drawn: dict[str, Json] = {
            "documents": "within" if first.parent_id is not None and first.parent_id == second.parent_id else "across",
            KIND: connection.kind,
            "facts": [one_line(connection.fact_1), one_line(connection.fact_2)],
            "answer": one_line(connection.answer),
            "checked": self.settings.check,
        }
        return query_of(
            first.dataset,
            connection.query,
            lineage_of(work, answered, place, drawn),
            task_type="question_answering",
            instruction=_INSTRUCTION,
            lang=first.lang,
        )


def multi_hop(name: str, recipe: Recipe) -> MultiHopChain:
    """Returns the chain of retrieval/multi_hop; raises PromptError for a prompt that cannot be used."""
    write = prompting.source_of(recipe.prompts, "retrieval/multi_hop")
    check = prompting.source_of(recipe.prompts, "retrieval/multi_hop_check")
    prompts = (
        prompting.load(write, MultiHopAnswer, WRITE_INPUTS),
        prompting.load(check, MultiHopVerdicts, CHECK_INPUTS),
    )
    check_prompt_ids(prompts)
    return MultiHopChain(name, *prompts, recipe.synthesize.multi_hop, recipe.synthesize.per_document)


def _needs_one(verdict: MultiHopVerdict | None, order: Sequence[int]) -> str | None:
    """Returns why a query does not stay by its verdict, or None; documents are numbered as for the writer."""
    if verdict is None:
        return "the check gave no verdict on it"
    if (verdict.document_1, verdict.document_2, verdict.together) == ("part", "part", True):
        return None
    given = dict(zip(order, (verdict.document_1, verdict.document_2), strict=True))
    together = "answer it" if verdict.together else "do not answer it"
    return (
        f"document 1 gives {given[1]} of the answer, document 2 {given[2]}, both together {together}: "
        f"{one_line(verdict.reason)}"
    )


def _single(query: Query, detail: str, by: str) -> Reject:
    return Reject(query.query_id, "queries", "not_multi_hop", detail, by=by, payload=query.query)


def _shown(document: Document) -> str:
    text = shortened(document.text, SHOWN_TOKENS // 2)
    return f"{document.title}\n\n{text}" if document.title else text
