"""FRet: what a model is asked about a document, and the queries in its answer (Gecko, arXiv 2403.20327, §3.1)."""

from typing import get_args

from oreline import ids, prompting
from oreline.llm.requests import Answered, Request, request_for
from oreline.normalise import query_hash
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm
from oreline.records import Content, Document, Lineage, Pair, Query
from oreline.scripts import one_line, shortened
from oreline.writing.answers import FretAnswer, WrittenTask

SHOWN_TOKENS = 6_000
"""A document is shown up to here, in estimated tokens."""

_KINDS: tuple[str, ...] = get_args(WrittenTask)


def suggested_kinds(doc_id: str, content: Content, count: int) -> list[str]:
    """Returns the kinds of tasks that are suggested for a document, drawn by sha256 of its id.

    Without a suggestion models write questions and little else, while a uniform mix of kinds trains best (Gecko,
    §4). `code_retrieval` is drawn for code alone. The recipe's seed stays out: another seed should buy no new answers.
    """
    kinds = [kind for kind in _KINDS if content == "code" or kind != "code_retrieval"]
    drawn = sorted(kinds, key=lambda kind: ids.seeded_fraction(0, "kind", doc_id, kind))
    return [drawn[place % len(drawn)] for place in range(count)]


def request_of(prompt: prompting.Prompt, llm: Llm, writer: str, document: Document, count: int) -> Request:
    """Returns the request for `count` queries about a document."""
    inputs: dict[str, Input] = {
        "title": document.title or "",
        "document": shortened(document.text, SHOWN_TOKENS),
        "count": count,
        "kinds": ", ".join(suggested_kinds(document.doc_id, document.content, count)),
    }
    rendered, doc_id = prompt.render(inputs), document.doc_id
    return request_for(llm, rendered, assigned_by=doc_id, unit_ids=[doc_id], context=[writer, doc_id])


def rows_of(answered: Answered, writer: str, document: Document, count: int) -> list[tuple[Query, Pair]] | str:
    """Returns the queries of a usable answer, at most `count`, or a sentence that says why it holds none."""
    answer = prompting.parse(FretAnswer, answered.text)
    if isinstance(answer, prompting.Unusable):
        return answer.detail
    rows: list[tuple[Query, Pair]] = []
    seen: set[str] = set()
    for place, written in enumerate(answer.queries):
        text = one_line(written.query)
        if len(rows) == count or query_hash(text) in seen:
            continue
        seen.add(query_hash(text))
        lineage = _lineage(answered, writer, document, place)
        query = Query(
            query_id=_query_id(document, lineage),
            dataset=document.dataset,
            query=text,
            query_hash=query_hash(text),
            task_type=written.task_type,
            instruction=one_line(written.task),
            lang=document.lang,
            origin="synthetic",
            lineage=lineage,
        )
        rows.append((query, Pair(query.query_id, document.doc_id, "positive", "seed")))
    return rows


def _lineage(answered: Answered, writer: str, document: Document, place: int) -> Lineage:
    request = answered.request
    return Lineage(
        writer=writer,
        doc_ids=[document.doc_id],
        prompt_id=request.prompt_id,
        prompt_version=request.prompt_version,
        model=request.model,
        request_key=request.key,
        attempt=answered.answer.attempt if answered.answer else None,
        place=place,
    )


def _query_id(document: Document, lineage: Lineage) -> str:
    identity: list[ids.Json] = [lineage.writer, lineage.prompt_id, [*lineage.doc_ids], lineage.request_key]
    return ids.written_query_id(document.dataset, [*identity, lineage.attempt, lineage.place])
