"""Stage synthesize: documents give queries and pairs, and extractive writers further documents."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.errors import RecipeError
from oreline.heartbeat import Heartbeat
from oreline.job import Job, StageWriter
from oreline.stages.wiring import RowGroups, Spread, decode_row_group
from oreline.writing.catalog import chains_of, writer_of
from oreline.writing.draws import blocks_of_draws
from oreline.writing.plan import plan_problem
from oreline.writing.task import Writing


class Extract(beam.DoFn):
    """Writes what the writers without a model make of a block of documents."""

    def __init__(self, task: Writing) -> None:
        self._task = task

    def setup(self) -> None:
        """Starts the heartbeat."""
        self._heartbeat = Heartbeat(self._task.job)

    def process(self, block: bytes) -> Iterator[bytes]:
        """Yields one report per block."""
        job = self._task.job
        writer = StageWriter(job)
        if job.stop_requested():
            yield writer.close(stopped="interrupted", message="stopped before all documents were read").encode()
            return
        self._task.finish(job, block, (), writer)
        self._heartbeat.add(decode_row_group(block).rows)
        self._heartbeat.flush()
        yield writer.close().encode()


@dataclass(frozen=True)
class CheckPlan:
    """Fails the stage if the recipe names a dataset that the input does not have."""

    job: Job

    def __call__(self, _: bytes) -> Iterator[bytes]:
        """Yields a report of failure, or nothing."""
        problem = plan_problem(self.job)
        if problem is not None:
            yield StageWriter(self.job).close(failure="unknown_dataset", message=problem).encode()


@dataclass(frozen=True)
class ListDraws:
    """Lists blocks of draws of the writers that make documents from nothing."""

    job: Job

    def __call__(self, _: bytes) -> Iterator[bytes]:
        """Yields the encoded blocks."""
        yield from blocks_of_draws(chains_of(self.job.recipe))


@dataclass(eq=False)
class Synthesize(beam.PTransform):
    """Runs the recipe's writers over all documents; a model is asked only if one of the writers needs it."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage; yields encoded reports."""
        checked = (
            root
            | "StartCheck" >> beam.Impulse()
            | "CheckPlan" >> beam.FlatMap(CheckPlan(self.job)).with_output_types(bytes)
        )
        documents = root | "ListDocuments" >> RowGroups(self.job, ("documents",))
        blocks = documents
        if any(writer_of(name).draws for name in self.job.recipe.writers()):
            draws = (
                root
                | "StartDraws" >> beam.Impulse()
                | "ListDraws" >> beam.FlatMap(ListDraws(self.job)).with_output_types(bytes)
                | "SpreadDraws" >> Spread()
            )
            blocks = (blocks, draws) | "GatherBlocks" >> beam.Flatten()
        if not any(writer_of(name).gathers for name in self.job.recipe.writers()):
            written = blocks | "Write" >> self._write()
            return (checked, written) | "GatherReports" >> beam.Flatten()
        from oreline.stages.companions import AfterCompanions, FindCompanions

        found = documents | "FindCompanions" >> FindCompanions(self.job)
        written = blocks | "AfterCompanions" >> AfterCompanions(found) | "Write" >> self._write()
        return (checked, found, written) | "GatherReports" >> beam.Flatten()

    def _write(self) -> beam.PTransform:
        names = [name for name in self.job.recipe.writers() if writer_of(name).needs_llm]
        if not names:
            return beam.ParDo(Extract(Writing(self.job))).with_output_types(bytes)
        from oreline.stages.rounds import Round, Rounds

        llm = self.job.recipe.llm_of("synthesize")
        if llm is None:
            raise RecipeError(f"synthesize.writers: {', '.join(names)} calls a model, but the recipe has no llm")
        rounds = Writing(self.job).rounds
        return Rounds(self.job, [Round(llm, Writing(self.job, number)) for number in range(rounds)])
