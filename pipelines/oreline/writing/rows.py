"""Rows of written queries: their ids and where they came from."""

import json
from functools import lru_cache

from oreline import ids
from oreline.ids import Json, canonical_json
from oreline.llm.requests import Answered
from oreline.normalise import query_hash
from oreline.records import Lineage, Query, TaskType
from oreline.scripts import one_line
from oreline.writing.work import Work

KIND = "kind"
"""What `drawn` calls the kind of task that a writer chose, where it says more than the task type."""


def kind_of(query: Query) -> str:
    """Returns the kind of a query's task: what its writer calls it, else its task type."""
    if query.lineage is None or query.lineage.drawn is None:
        return query.task_type
    kind = _drawn_kind(query.lineage.drawn)
    return query.task_type if kind is None else kind


@lru_cache(maxsize=1_024)
def _drawn_kind(drawn: str) -> str | None:
    kind = json.loads(drawn).get(KIND)
    return kind if isinstance(kind, str) else None


def lineage_of(work: Work, answered: Answered, place: int, drawn: dict[str, Json] | str | None = None) -> Lineage:
    """Returns the lineage of the query at a place of an answer.

    `drawn` is what was drawn or chosen for it, which may come as canonical JSON already.
    """
    request = answered.request
    return Lineage(
        writer=work.writer,
        doc_ids=[document.doc_id for document in work.documents],
        prompt_id=request.prompt_id,
        prompt_version=request.prompt_version,
        model=request.model,
        request_key=request.key,
        attempt=answered.answer.attempt if answered.answer else None,
        place=place,
        drawn=canonical_json({**drawn}).decode() if isinstance(drawn, dict) else drawn,
    )


def query_of(
    dataset: str,
    text: str,
    lineage: Lineage,
    *,
    task_type: TaskType,
    instruction: str | None,
    lang: str | None,
    group: str | None = None,
) -> Query:
    """Returns a written query; its id is sha256 over writer, prompt, documents, request, attempt and place."""
    query = one_line(text)
    identity: list[Json] = [lineage.writer, lineage.prompt_id, [*lineage.doc_ids], lineage.request_key]
    return Query(
        query_id=ids.written_query_id(dataset, [*identity, lineage.attempt, lineage.place]),
        dataset=dataset,
        query=query,
        query_hash=query_hash(query),
        task_type=task_type,
        instruction=None if instruction is None else one_line(instruction),
        lang=lang,
        origin="synthetic",
        group=group,
        lineage=lineage,
    )
