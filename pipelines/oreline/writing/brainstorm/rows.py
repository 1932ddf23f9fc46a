"""The rows of a draw: a query with its positive and its known negative, both of them new documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from oreline.ids import Json
from oreline.llm.requests import Answered
from oreline.normalise import normalise_query
from oreline.records import Document, Pair, Query, Reject
from oreline.writing.brainstorm.answers import TripleAnswer
from oreline.writing.brainstorm.plan import Drawn, Share
from oreline.writing.chain import rejected
from oreline.writing.generated import generated_document
from oreline.writing.rows import KIND, lineage_of, query_of
from oreline.writing.work import Work, Written


@dataclass(frozen=True)
class Triple:
    """An answer with what was drawn for it, and the task that it was written for with its call, if there was one."""

    answered: Answered
    answer: TripleAnswer
    drawn: Drawn
    task: str | None = None
    task_call: Answered | None = None


def written(work: Work, dataset: str, share: Share, triples: Sequence[Triple]) -> Written:
    """Returns the rows of triples; those whose texts are equal, to each other or to an earlier row's, are rejects."""
    queries: list[Query] = []
    pairs: list[Pair] = []
    documents: list[Document] = []
    rejects: list[Reject] = []
    seen: set[tuple[str, ...]] = set()
    for triple in triples:
        texts = tuple(
            normalise_query(text) for text in (triple.answer.query, triple.answer.positive, triple.answer.hard_negative)
        )
        problem = _problem(texts, seen)
        if problem is not None:
            rejects.append(rejected(work, triple.answered, problem, "not_distinct"))
            continue
        seen.add(texts)
        query, row_documents = _row(work, dataset, share, triple)
        positive, negative = row_documents
        queries.append(query)
        documents.extend(row_documents)
        pairs.append(Pair(query.query_id, positive.doc_id, "positive", "generated"))
        pairs.append(Pair(query.query_id, negative.doc_id, "negative", "generated"))
    return Written(tuple(queries), tuple(pairs), tuple(documents), tuple(rejects))


def _problem(texts: tuple[str, ...], seen: set[tuple[str, ...]]) -> str | None:
    if texts in seen:
        return "all three texts equal those of an earlier row of this draw"
    names = ("query", "positive", "hard negative")
    for first in range(len(texts)):
        for second in range(first + 1, len(texts)):
            if texts[first] == texts[second]:
                return f"{names[first]} and {names[second]} are the same text"
    return None


def _row(work: Work, dataset: str, share: Share, triple: Triple) -> tuple[Query, tuple[Document, Document]]:
    drawn = triple.drawn
    instruction = triple.task or share.group.instruction
    told: dict[str, Json] = {KIND: share.name, **drawn.to_json()}
    if triple.task_call is not None:
        told["task_key"] = triple.task_call.request.key
    query = query_of(
        dataset,
        triple.answer.query,
        lineage_of(work, triple.answered, 0, told),
        task_type=share.group.task_type,
        instruction=instruction,
        lang=drawn.languages[0],
    )

    def document(role: str, text: str) -> Document:
        metadata: dict[str, Json] = {"writer": work.writer, "group": share.name, "task": instruction, "role": role}
        return generated_document(dataset, text, triple.answered, role, lang=drawn.languages[-1], metadata=metadata)

    answer = triple.answer
    return query, (document("positive", answer.positive), document("hard_negative", answer.hard_negative))
