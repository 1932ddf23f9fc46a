"""The work of judge, block by block: requests for the candidates of queries, and judgements from the answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from oreline import prompting
from oreline.job import Job, StageWriter
from oreline.judging import listwise
from oreline.judging.answers import LISTWISE_INPUTS, ListwiseAnswer
from oreline.judging.shown import calls_of, judged_documents
from oreline.llm.requests import Answered, Request
from oreline.records import Candidate, Judgement, Query, Reject
from oreline.stages.wiring import decode_row_group
from oreline.tables.schema import from_arrow

_SLICE = 1_024
Texts = dict[str, tuple[str | None, str]]


@dataclass(frozen=True)
class Judging:
    """Listwise grading over blocks of candidates: the `Task` of judge (see `llm.task`).

    Units are (query, document, scorer); a request's `unit_ids` are its units, in the order shown.
    """

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields one request per query, or several if more than `MOST_SHOWN` of its documents are graded."""
        llm = job.recipe.llm_of("judge")
        if llm is None:
            return
        prompt = prompting.load(listwise.PROMPT, ListwiseAnswer, LISTWISE_INPUTS)
        rows = job.read(decode_row_group(block))
        for start in range(0, rows.num_rows, _SLICE):
            candidates = from_arrow(Candidate, rows.slice(start, _SLICE))
            chosen = {each.query_id: _judged(job, each) for each in candidates}
            queries = _queries(job, chosen)
            texts = _texts(job, {doc_id for doc_ids in chosen.values() for doc_id in doc_ids})
            for query_id, doc_ids in chosen.items():
                for shown in calls_of(query_id, doc_ids):
                    yield listwise.request_of(prompt, llm, queries[query_id], shown, texts)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer grades each document shown just once."""
        return not isinstance(listwise.grades_of(text, len(request.unit_ids)), str)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Writes the judgements of a block; where an answer cannot be used, all its units are dropped."""
        del job, block  # each request holds its units
        for answered in answers:
            units = answered.request.unit_ids
            writer.units(units)
            found = _judgements(answered)
            if isinstance(found, Reject):
                for unit in units:
                    writer.dropped(unit, _of_unit(found, unit))
                continue
            writer.kept(units)
            writer.rows("judgements", found)


def _judged(job: Job, candidate: Candidate) -> list[str]:
    recipe = job.recipe
    return judged_documents(candidate, recipe.judge.top_k, recipe.select.negatives, recipe.mine.ceiling)


def _queries(job: Job, wanted: dict[str, list[str]]) -> dict[str, Query]:
    return {each.query_id: each for each in from_arrow(Query, job.lookup("queries", "query_id", wanted))}


def _texts(job: Job, wanted: set[str]) -> Texts:
    """Returns title and text by id, texts only as far as they can be shown: whole ones may be long."""
    ids = pa.array(sorted(wanted), pa.string())
    found: Texts = {}
    for block in job.iterate("documents", ["doc_id", "title", "text"]):
        chosen = block.filter(pc.is_in(block.column("doc_id"), ids))
        texts = pc.utf8_slice_codeunits(chosen.column("text"), 0, listwise.READ_CHARACTERS)
        doc_ids, titles, shown = (column.to_pylist() for column in (*chosen.columns[:2], texts))
        found.update(zip(doc_ids, zip(titles, shown, strict=True), strict=True))
    return found


def _judgements(answered: Answered) -> list[Judgement] | Reject:
    raw = answered.answer.text if answered.answer else None
    key = answered.request.key
    if answered.reject is not None:
        return Reject("", "judgements", answered.reject, answered.detail or "no detail was given", key, raw)
    found = listwise.judgements_of(answered)
    return Reject("", "judgements", "unparsable", found, key, raw) if isinstance(found, str) else found


def _of_unit(reject: Reject, unit: str) -> Reject:
    return Reject(unit, reject.table, reject.reason, reject.detail, reject.by, reject.payload)
