"""The work of synthesize, block by block: what is asked of a model, and the rows that all writers give."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from oreline import prompting
from oreline.extractive.rows import extract
from oreline.job import Job, StageWriter
from oreline.llm.requests import Answered, Request
from oreline.records import Document, Pair, Query, Reject
from oreline.stages.wiring import decode_row_group
from oreline.tables.schema import from_arrow
from oreline.writing import fret
from oreline.writing.answers import FRET_INPUTS, FretAnswer
from oreline.writing.catalog import Writer, writer_of
from oreline.writing.plan import Plan, plan_of

_SLICE = 1_024


@dataclass(frozen=True)
class Writing:
    """All writers of a recipe over blocks of documents: the `Task` of synthesize (see `llm.task`)."""

    job: Job

    @cached_property
    def plan(self) -> Plan:
        """Which documents are written for, read from the input once per worker."""
        return plan_of(self.job)

    @cached_property
    def writers(self) -> tuple[Writer, ...]:
        """The writers of the recipe, in its order."""
        return tuple(writer_of(name) for name in dict.fromkeys(self.job.recipe.writers()))

    @cached_property
    def prompts(self) -> dict[str, prompting.Prompt]:
        """The prompt of each LLM writer, by the writer's name."""
        return {
            each.name: prompting.load(each.prompt, FretAnswer, FRET_INPUTS)
            for each in self.writers
            if each.prompt is not None
        }

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields a request per chosen document and LLM writer."""
        llm = job.recipe.llm_of("synthesize")
        if llm is None or not self.prompts:
            return
        count = job.recipe.synthesize.per_document
        for documents in self._chosen(block, None):
            for document in documents:
                for name, prompt in self.prompts.items():
                    yield fret.request_of(prompt, llm, name, document, count)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows FRet's schema."""
        del request  # all LLM writers answer alike
        return not isinstance(prompting.parse(FretAnswer, text), prompting.Unusable)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Writes what the writers made of a block's documents; the others are counted over."""
        del job  # the task has its own
        by_document: dict[str, list[Answered]] = {}
        for answered in answers:
            by_document.setdefault(answered.request.unit_ids[0], []).append(answered)
        for documents in self._chosen(block, writer):
            for document in documents:
                self._write(document, by_document.get(document.doc_id, []), writer)

    def _chosen(self, block: bytes, writer: StageWriter | None) -> Iterator[list[Document]]:
        rows = self.job.read(decode_row_group(block))
        for start in range(0, rows.num_rows, _SLICE):
            documents = from_arrow(Document, rows.slice(start, _SLICE))
            chosen = [each for each in documents if self.plan.chooses(each.dataset, each.origin, each.doc_id)]
            if writer is not None:
                taken = {each.doc_id for each in chosen}
                writer.counted_over(each.doc_id for each in documents if each.doc_id not in taken)
            yield chosen

    def _write(self, document: Document, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Writes a document's rows; it is kept if any writer made one, else dropped with the first reject."""
        rejects: list[Reject] = []
        written = 0
        for answered in answers:
            rows = self._rows_of_answer(document, answered)
            if isinstance(rows, Reject):
                rejects.append(rows)
                continue
            written += len(rows)
            writer.rows("queries", [query for query, _ in rows])
            writer.rows("pairs", [pair for _, pair in rows])
        written += self._extract(document, writer)
        if written:
            writer.kept([document.doc_id])
            for reject in rejects:
                writer.reject(reject)
            return
        first, *others = rejects or [self._nothing(document)]
        writer.dropped(document.doc_id, first)
        for reject in others:
            writer.reject(reject)

    def _extract(self, document: Document, writer: StageWriter) -> int:
        number = 0
        for each in self.writers:
            if each.needs_llm:
                continue
            extracted = extract(each.name, document, self.job.recipe.seed)
            if extracted is None:
                writer.count(f"nothing_from_{each.name}")
                continue
            number += 1
            writer.rows("queries", [extracted.query])
            writer.rows("pairs", [extracted.pair])
            if extracted.derived is not None:
                writer.rows("documents", [extracted.derived])
        return number

    def _rows_of_answer(self, document: Document, answered: Answered) -> list[tuple[Query, Pair]] | Reject:
        raw = answered.answer.text if answered.answer else None
        if answered.reject is not None:
            return _rejected(document, answered.reject, answered.detail or "no detail was given", answered, raw)
        name = str(json.loads(answered.request.context)[0])
        rows = fret.rows_of(answered, name, document, self.job.recipe.synthesize.per_document)
        return rows if isinstance(rows, list) else _rejected(document, "unparsable", rows, answered, raw)

    def _nothing(self, document: Document) -> Reject:
        names = ", ".join(each.name for each in self.writers)
        detail = f"none of the writers ({names}) found words in it that could be a query"
        return Reject(document.doc_id, "documents", "nothing_to_extract", detail, payload=document.text)


def _rejected(document: Document, reason: str, detail: str, answered: Answered, raw: str | None) -> Reject:
    return Reject(document.doc_id, "documents", reason, detail, by=answered.request.key, payload=raw)
