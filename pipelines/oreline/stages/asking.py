"""What the LLM stages share: render the requests of each block, fill the journal, finish each block."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from oreline.heartbeat import Heartbeat
from oreline.ids import sha256_json
from oreline.job import Job, StageWriter
from oreline.llm.accounts import Account
from oreline.llm.budget import effective_budget
from oreline.llm.engine import Engine
from oreline.llm.engines import PROCESS_ENGINES
from oreline.llm.filling import Filling
from oreline.llm.opening import open_provider
from oreline.llm.ownership import output_id
from oreline.llm.retrying import Retry
from oreline.llm.rows import REQUESTS, block_key, encode_block, finish, render
from oreline.llm.spending import spent
from oreline.llm.task import Task
from oreline.recipe.settings import Llm
from oreline.shuffle import Scatter
from oreline.stages.catalog import stage_workers

_REPORTS = "reports"
_BLOCKS = "blocks"


@dataclass(eq=False)
class Ask(beam.PTransform):
    """Asks a model what a task wants to know of each block: from blocks, all distinct, to encoded reports.

    Its books: `requests` = `answers` + `answer_rejects`, checked by the commit; `paid_requests`, `prompt_tokens`,
    `output_tokens` (thinking included) and `microdollars` are what this run spent, `journal_hits` the distinct
    requests for which nothing was sent. Equal requests are sent once. A stop is a report with `stopped` or `failure`.
    """

    job: Job
    llm: Llm
    task: Task
    retry: Retry | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, blocks: "beam.PCollection[bytes]") -> "beam.PCollection[bytes]":
        """Wires render, fill and finish; only references pass between them."""
        rendered = blocks | "Render" >> beam.ParDo(RenderBlocks(self.job, self.task)).with_output_types(
            tuple[int, bytes], blocks=tuple[int, bytes], reports=bytes
        ).with_outputs(_BLOCKS, _REPORTS, main=REQUESTS)
        filled = (
            rendered[REQUESTS]
            | "GroupByLane" >> beam.GroupByKey()
            | "Fill"
            >> beam.ParDo(FillLanes(self.job, self.llm, self.task, self.retry))
            .with_output_types(tuple[int, bytes], reports=bytes)
            .with_outputs(_REPORTS, main="answers")
        )
        finished = (
            (rendered[_BLOCKS], filled["answers"])
            | "JoinBlocks" >> beam.Flatten()
            | "GroupByBlock" >> beam.GroupByKey()
            | "Finish" >> beam.ParDo(FinishBlocks(self.job, self.task)).with_output_types(bytes)
        )
        return (rendered[_REPORTS], filled[_REPORTS], finished) | "GatherReports" >> beam.Flatten()


class RenderBlocks(beam.DoFn):
    """Writes requests to scratch files: (lane, reference); `blocks`: (key, block with its number of requests)."""

    def __init__(self, job: Job, task: Task) -> None:
        self._job = job
        self._task = task

    def start_bundle(self) -> None:
        """Opens the scratch files of a bundle."""
        self._scatter = Scatter(self._job, REQUESTS)
        self._heartbeat = Heartbeat(self._job)
        self._requests = 0

    def process(self, block: bytes) -> Iterator[object]:
        """Renders one block."""
        requests = yield from render(self._job, self._task, block, self._scatter)
        self._requests += requests
        self._heartbeat.add(requests, "rendered")
        yield beam.pvalue.TaggedOutput(_BLOCKS, (block_key(block), encode_block(block, requests)))

    def finish_bundle(self) -> Iterator[object]:
        """Yields what is left, and the number of requests rendered."""
        self._heartbeat.flush()
        for reference in self._scatter.close():
            yield GlobalWindows.windowed_value(reference)
        writer = StageWriter(self._job)
        writer.count("requests", self._requests)
        yield beam.pvalue.TaggedOutput(_REPORTS, GlobalWindows.windowed_value(writer.close().encode()))


class FillLanes(beam.DoFn):
    """Sends what a lane's journal lacks: (key of a block, reference to answered rows).

    The window of calls in flight spans the lanes of a bundle; what is not ready in `process` comes in `finish_bundle`.
    """

    def __init__(self, job: Job, llm: Llm, task: Task, retry: Retry | None) -> None:
        self._job, self._llm, self._task, self._retry = job, shared_out(job, llm), task, retry
        self._name = sha256_json([job.output, job.stage, self._llm.model_dump()])

    def setup(self) -> None:
        """Joins the process's engine for this stage's model."""
        self._filling: Filling | None = None
        self._engine = PROCESS_ENGINES.acquire(self._name, self._make_engine)

    def start_bundle(self) -> None:
        """Opens the books of a bundle."""
        self._filling = Filling(self._job, self._llm, self._task, self._engine)

    def process(self, lane: tuple[int, Iterable[bytes]]) -> Iterator[object]:
        """Takes one lane's requests."""
        yield from self._begun().lane(*lane)

    def finish_bundle(self) -> Iterator[object]:
        """Waits for what is in flight."""
        filling = self._begun()
        for reference in filling.finish():
            yield GlobalWindows.windowed_value(reference)
        yield beam.pvalue.TaggedOutput(_REPORTS, GlobalWindows.windowed_value(filling.report()))

    def teardown(self) -> None:
        """Leaves the engine; the last one out closes it. After a failure Beam calls it before it repeats the bundle."""
        try:
            if self._filling is not None:
                self._filling.abandon()
        finally:
            PROCESS_ENGINES.release(self._name)

    def _begun(self) -> Filling:
        if self._filling is None:
            raise RuntimeError("a bundle's elements came before its start")
        return self._filling

    def _make_engine(self, earlier: Account | None) -> Engine:
        output, cache, workers = self._job.output, self._job.recipe.cache_folder, self._llm.workers
        # One worker's spending is all that the journal holds; of several, each one's share is what it spent itself.
        if earlier is None or workers == 1:
            earlier = Account.opened(effective_budget(self._llm), spent(output, cache), workers)
        return Engine(
            cache,
            self._job.stage,
            self._llm,
            open_provider=open_provider,
            account=earlier,
            retry=self._retry,
            owner=output_id(output),
        )


def shared_out(job: Job, llm: Llm) -> Llm:
    """Returns a model's settings with as many `workers` as the stage has: they share its budget and its limits.

    The stage may have been given others than the model states, and ask a further model, which states its own.
    """
    workers = stage_workers(job.recipe, job.stage)
    if job.recipe.beam.runner != "local":
        workers = max(workers, llm.workers)
    return llm.model_copy(update={"workers": workers})


class FinishBlocks(beam.DoFn):
    """Hands each block's answers to the task: encoded reports."""

    def __init__(self, job: Job, task: Task) -> None:
        self._job = job
        self._task = task

    def process(self, joined: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Finishes the block (or blocks) of one key."""
        yield from finish(self._job, self._task, joined[1])
