"""Listwise grading: what a model is asked about one query and several documents, and what its grades mean."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from oreline import prompting
from oreline.ids import Json
from oreline.judging.answers import DocumentGrade, ListwiseAnswer
from oreline.judging.instructions import instruction_of
from oreline.llm.requests import Answered, Request, request_for
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm
from oreline.records import Judgement, Query
from oreline.scripts import one_line, shortened

SCORER = "listwise"
PROMPT = "judge/listwise"
DOCUMENT_TOKENS = 450
"""A document is shown up to here, in estimated tokens: a chunk of the default size fits whole."""
READ_CHARACTERS = 4 * DOCUMENT_TOKENS + 1
"""What need be read of a document for that: a token has four characters at most, and one more says that it goes on."""
TITLE_TOKENS = 40
QUERY_TOKENS = 1_000
RELEVANT_FROM = 2


def unit_id(query_id: str, doc_id: str) -> str:
    """Returns the id of a unit of judge: query, document and scorer, tabs between them. It is never taken apart."""
    return f"{query_id}\t{doc_id}\t{SCORER}"


def verdict_of(grade: int) -> str:
    """Returns what a grade from 0 to 3 means: 2 and 3 relevant, 1 partly relevant, 0 irrelevant."""
    if grade >= RELEVANT_FROM:
        return "relevant"
    return "partly_relevant" if grade == 1 else "irrelevant"


def request_of(
    prompt: prompting.Prompt,
    llm: Llm,
    query: Query,
    doc_ids: Sequence[str],
    texts: Mapping[str, tuple[str | None, str]],
) -> Request:
    """Returns the request that grades documents for a query; `texts` gives (title, text) by id. No id is shown.

    Its context is the query's id and those of the documents, in the order shown.
    """
    inputs: dict[str, Input] = {
        "instruction": instruction_of(query),
        "query": shortened(query.query, QUERY_TOKENS),
        "document": [_shown(*texts[doc_id]) for doc_id in doc_ids],
        "count": len(doc_ids),
    }
    units = [unit_id(query.query_id, doc_id) for doc_id in doc_ids]
    context: Json = [query.query_id, *doc_ids]
    return request_for(llm, prompt.render(inputs), assigned_by=query.query_id, unit_ids=units, context=context)


def grades_of(text: str, shown: int) -> list[DocumentGrade] | str:
    """Returns the grades of `shown` documents in the order in which they stood, or what is wrong with the answer."""
    answer = prompting.parse(ListwiseAnswer, text)
    if isinstance(answer, prompting.Unusable):
        return answer.detail
    numbers = [each.document for each in answer.grades]
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        return f"document {twice} is graded more than once"
    wanted = set(range(1, shown + 1))
    if missing := sorted(wanted - set(numbers)):
        return f"{len(missing)} of {shown} documents have no grade, the first is number {missing[0]}"
    if unknown := sorted(set(numbers) - wanted):
        return f"document {unknown[0]} is graded, but only {shown} were shown"
    return sorted(answer.grades, key=lambda each: each.document)


def judgements_of(answered: Answered) -> list[Judgement] | str:
    """Returns the judgements of a usable answer, one per unit of its request, or what is wrong with it."""
    query_id, *doc_ids = cast("list[str]", json.loads(answered.request.context))
    grades = grades_of(answered.text, len(doc_ids))
    if isinstance(grades, str):
        return grades
    return [
        _judgement(query_id, doc_id, grade, answered.request) for doc_id, grade in zip(doc_ids, grades, strict=True)
    ]


def _judgement(query_id: str, doc_id: str, grade: DocumentGrade, request: Request) -> Judgement:
    return Judgement(
        query_id=query_id,
        doc_id=doc_id,
        scorer=SCORER,
        value=float(grade.grade),
        verdict=verdict_of(grade.grade),
        reason=one_line(grade.reason) or None,
        model=request.model,
        request_key=request.key,
    )


def _shown(title: str | None, text: str) -> str:
    body = shortened(text, DOCUMENT_TOKENS)
    return f"{shortened(one_line(title), TITLE_TOKENS)}\n{body}" if title else body
