"""The work of synthesize, block by block: what is asked of a model, and the rows that all writers give."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from oreline.job import Job, StageWriter
from oreline.llm.parking import park, parked
from oreline.llm.requests import Answered, Request
from oreline.llm.sharing import assigned_name
from oreline.records import Document
from oreline.stages.wiring import decode_row_group
from oreline.tables.schema import from_arrow
from oreline.writing.booking import write_document, write_draw
from oreline.writing.catalog import Writer, chains_of, writer_of
from oreline.writing.chain import Answers, Chain, CompanionChain, DrawingChain, GatheringChain, writer_and_unit
from oreline.writing.draws import decode_draws
from oreline.writing.plan import Plan, plan_of
from oreline.writing.work import Work, Written

_SLICE = 1_024

ByWork = dict[tuple[str, str], list[list[Answered]]]


@dataclass(frozen=True)
class Writing:
    """All writers of a recipe over blocks of documents and of draws: a `Task` of synthesize (see `llm.task`).

    `number` is the round of calls, from 0; every round but the last parks its answers for the next. Without a writer
    that calls a model there is one round, which asks nothing.
    """

    job: Job
    number: int = 0

    @cached_property
    def plan(self) -> Plan:
        """Which documents are written for, read from the input once per worker."""
        return plan_of(self.job)

    @cached_property
    def writers(self) -> tuple[Writer, ...]:
        """The writers of the recipe, in its order."""
        return tuple(writer_of(name) for name in dict.fromkeys(self.job.recipe.writers()))

    @cached_property
    def chains(self) -> dict[str, Chain]:
        """The chains of the writers that call a model, by name."""
        return chains_of(self.job.recipe)

    @property
    def rounds(self) -> int:
        """How many rounds of calls the writers need, at least 1."""
        return max(each.rounds for each in self.writers)

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests of this round: for each work of a chain those that follow the answers so far."""
        llm = job.recipe.llm_of("synthesize")
        if llm is None or not self.chains:
            return
        before = self._before(block)
        for work in self.works(block):
            answers = before.get((work.writer, work.unit), [[] for _ in range(self.number)])
            yield from self.chains[work.writer].requests(llm, work, answers)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema of its writer and round."""
        return self.chains[writer_and_unit(request)[0]].usable(request, text)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Parks the answers, or after the last round writes what all writers made of a block."""
        if self.number + 1 < self.rounds:
            park(job, block, self.number, answers)
            return
        if self.plan.shares:
            writer.fact("sample", self.plan.to_json())
        by_work = self._before(block)
        _add(by_work, self.number, answers)
        if (draws := decode_draws(block)) is not None:
            chain = self.chains[draws.writer]
            for work in draws.works():
                write_draw(self._written(chain, work, by_work), work, writer)
            return
        for documents in self._chosen(block, writer):
            works = self._works_of(block, documents)
            for document in documents:
                written = [self._written(chain, work, by_work) for chain, work in works.get(document.doc_id, ())]
                extractors = [each.name for each in self._writers_for(document) if each.make is None]
                write_document(document, written, extractors, self.job.recipe.seed, writer)

    def _before(self, block: bytes) -> ByWork:
        """Returns the answers of the rounds before this one, by writer and unit."""
        found: ByWork = {}
        for number in range(self.number):
            _add(found, number, parked(self.job, block, number))
        return found

    def _written(self, chain: Chain, work: Work, by_work: ByWork) -> Written:
        answered: Answers = by_work.get((work.writer, work.unit), [])
        padded = [*answered, *([] for _ in range(self.rounds - len(answered)))]
        return chain.rows(work, padded)

    def works(self, block: bytes, without: Collection[str] = ()) -> Iterator[Work]:
        """Yields what the chains, but for those `without`, write about in a block, in the order in which they ask."""
        if (draws := decode_draws(block)) is not None:
            yield from draws.works()
            return
        for documents in self._chosen(block, None):
            of_documents = self._works_of(block, documents, without)
            yield from (work for document in documents for _, work in of_documents.get(document.doc_id, ()))

    def _works_of(
        self, block: bytes, documents: Sequence[Document], without: Collection[str] = ()
    ) -> dict[str, list[tuple[Chain, Work]]]:
        """Returns what chains write about documents, by document, in the order of the recipe's writers."""
        found: dict[str, list[tuple[Chain, Work]]] = {}
        for name, chain in self.chains.items():
            if isinstance(chain, DrawingChain) or name in without:
                continue
            own = [each for each in documents if any(name == writer.name for writer in self._writers_for(each))]
            for work in self._works_about(chain, block, own):
                found.setdefault(work.unit, []).append((chain, work))
        return found

    def _works_about(self, chain: Chain, block: bytes, documents: Sequence[Document]) -> Iterator[Work]:
        if isinstance(chain, CompanionChain):
            return chain.works_of_block(self.job, block, documents)
        if isinstance(chain, GatheringChain):
            return chain.works(self.job, documents)
        return (Work(chain.name, each.doc_id, (each,)) for each in documents)

    def _writers_for(self, document: Document) -> list[Writer]:
        """Returns the writers of a document: all without a share, and one of those with one."""
        shares = self.job.recipe.synthesize.shares
        one = assigned_name(shares, document.doc_id) if shares else None
        return [each for each in self.writers if not each.draws and (each.name not in shares or each.name == one)]

    def _chooses(self, document: Document) -> bool:
        return self.plan.chooses(document.dataset, document.origin, document.doc_id, document.lang)

    def _chosen(self, block: bytes, writer: StageWriter | None) -> Iterator[list[Document]]:
        rows = self.job.read(decode_row_group(block))
        for start in range(0, rows.num_rows, _SLICE):
            documents = from_arrow(Document, rows.slice(start, _SLICE))
            chosen = [each for each in documents if self._chooses(each)]
            if writer is not None:
                taken = {each.doc_id for each in chosen}
                writer.counted_over(each.doc_id for each in documents if each.doc_id not in taken)
            yield chosen


def _add(found: ByWork, number: int, answers: Sequence[Answered]) -> None:
    """Adds the answers of a round, numbered from 0, to those of the rounds before."""
    for answered in answers:
        rounds = found.setdefault(writer_and_unit(answered.request), [])
        rounds.extend([] for _ in range(number + 1 - len(rounds)))
        rounds[number].append(answered)
    for rounds in found.values():
        rounds.extend([] for _ in range(number + 1 - len(rounds)))
