"""The steps of judge around its calls: queries into ranges, ranges into blocks, and a cross-encoder's scores."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.shared import Shared

from oreline.encoders.devices import threads_of
from oreline.errors import CallError
from oreline.heartbeat import Heartbeat
from oreline.ids import bucket_of
from oreline.job import Job, StageWriter
from oreline.judging.blocks import park, park_crossed, prepare, prepared, ranges_of
from oreline.judging.books import METERS
from oreline.judging.cross_encoder import PairScorer
from oreline.judging.measuring import measure, opened
from oreline.judging.task import Judging
from oreline.shuffle import Scatter, gather
from oreline.stages.catalog import stage_workers
from oreline.stages.wiring import decode_row_group

REPORTS = "reports"
BLOCKS = "blocks"


class KeyByRange(beam.DoFn):
    """Spreads rows of candidates over ranges of query ids: (range, reference)."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Takes the rows of one reference."""
        rows, ranges = self._job.read(decode_row_group(element)), ranges_of(self._job)
        scatter = Scatter(self._job, "candidates")
        yield from scatter.write([bucket_of(each, ranges) for each in rows.column("query_id").to_pylist()], rows)
        yield from scatter.close()


class PrepareBlocks(beam.DoFn):
    """Writes the blocks of a range with all that is shown and known of them; yields their references."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Takes the rows of one range."""
        _, references = element
        for block in prepare(self._job, gather(references)["candidates"]):
            yield park(self._job, block)


class _Lazy:
    """A process's cross-encoder, opened when the first document needs it."""

    def __init__(self) -> None:
        self._opened: PairScorer | None = None

    def get(self, job: Job) -> PairScorer:
        """Returns it; raises CallError if it cannot be had."""
        settings = job.recipe.judge.cross_encoder
        if self._opened is None and settings is not None:
            self._opened = opened(settings, threads_of(job.recipe.encoder, stage_workers(job.recipe, job.stage)))
        if self._opened is None:
            raise CallError("judge.cross_encoder is not set")
        return self._opened


class MeasureBlocks(beam.DoFn):
    """Lets the cross-encoder score each block; one that it could not score goes no further."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._shared = Shared()

    def start_bundle(self) -> None:
        """Opens the books of a bundle."""
        self._scorer: _Lazy = self._shared.acquire(_Lazy)
        self._writer = StageWriter(self._job)
        self._heartbeat = Heartbeat(self._job)
        self._failure: str | None = None
        self._stopped = False

    def process(self, block: bytes) -> Iterator[bytes]:
        """Takes one block."""
        if self._failure is not None or self._stopped:
            return
        (part,) = prepared(self._job, block)
        try:
            found = measure(self._job, part, lambda: self._scorer.get(self._job), self._heartbeat.add)
        except CallError as error:
            self._failure = str(error)
            return
        if found.calls:
            self._writer.tally(METERS, "cross_encoder", "calls", number=found.calls)
            self._writer.tally(METERS, "cross_encoder", "tokens", number=found.tokens)
        self._stopped = found.found is None
        if found.found is not None:
            park_crossed(block, found.found)
            yield block

    def finish_bundle(self) -> Iterator[object]:
        """Yields the report."""
        self._heartbeat.flush()
        stopped = "interrupted; what is scored is kept, run again to go on" if self._stopped else None
        report = self._writer.close(
            stopped="interrupted" if self._stopped else None,
            failure="cross_encoder" if self._failure is not None else None,
            message=self._failure or stopped,
        )
        yield beam.pvalue.TaggedOutput(REPORTS, GlobalWindows.windowed_value(report.encode()))


class FinishMeasured(beam.DoFn):
    """Writes the rows of blocks about which no model is asked: encoded reports."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, block: bytes) -> Iterator[bytes]:
        """Finishes one block."""
        writer = StageWriter(self._job)
        Judging().finish(self._job, block, (), writer)
        yield writer.close().encode()
