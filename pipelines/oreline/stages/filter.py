"""filter: drops noisy and repeated queries; free rules first, then gates, duplicates and caps, then a model."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.decontamination.stage import screen_of
from oreline.errors import StageFailed
from oreline.filters.asking import Asking, questions_of
from oreline.filters.steps import BLOCK, REPORT, Steps, Then, ended_early
from oreline.filters.thinners import rated_thinners, thinners
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Llm
from oreline.shuffle import Reference
from oreline.stages.benchmarks import Benchmarks
from oreline.stages.thinners import Thin, ThinOut, goes_on
from oreline.stages.wiring import RowGroups, decode_row_group


@dataclass(frozen=True)
class Screen:
    """From a row group of queries to references by text, and a report."""

    steps: Steps

    def screened(self, reference: bytes, benchmarks: Iterable[bytes]) -> Iterator[Reference]:
        """Yields both; a method by name, as FlatMap gives a callable object no side input."""
        try:
            screen = screen_of(self.steps.job, benchmarks)
        except StageFailed as error:
            report = StageWriter(self.steps.job).close(failure="benchmark", message=str(error))
            yield REPORT, report.encode()
            return
        yield from self.steps.screen(decode_row_group(reference), screen.queries if screen else None)


@dataclass(frozen=True)
class MergeEqual:
    """From a hash range of texts to references, and a report."""

    steps: Steps

    def __call__(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields both."""
        yield from self.steps.merge(keyed[1])


@dataclass(frozen=True)
class Only:
    """Yields what stands under one key, such as the reports among a step's references."""

    key: int

    def __call__(self, keyed: Reference) -> Iterator[bytes]:
        """Yields the value, or nothing."""
        if keyed[0] == self.key:
            yield keyed[1]


@dataclass(eq=False)
class Filter(beam.PTransform):
    """From the root to encoded reports."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage; where no model is asked it ends with the last thinner."""
        steps = Steps(self.job)
        index = beam.pvalue.AsIter(root | "Benchmarks" >> Benchmarks(self.job, ["text"]))
        screened = (
            root
            | "Queries" >> RowGroups(self.job, ("queries",))
            | "Screen" >> beam.FlatMap(Screen(steps).screened, index).with_output_types(tuple[int, bytes])
        )
        merged = (
            screened
            | "KeepScreened" >> beam.FlatMap(goes_on).with_output_types(tuple[int, bytes])
            | "GroupByText" >> beam.GroupByKey()
            | "MergeEqual" >> beam.FlatMap(MergeEqual(steps)).with_output_types(tuple[int, bytes])
        )
        llm = self.job.recipe.llm_of("filter")
        asks = bool(questions_of(self.job.recipe)) and llm is not None
        all_steps = {"Screened": screened, "Merged": merged}
        chosen = thinners(self.job)
        thinned = merged
        for number, (name, thinner) in enumerate(chosen.items(), start=1):
            then: Then = "go_on" if number < len(chosen) else "ask" if asks else "keep"
            thinned = thinned | f"Thin{name}" >> Thin(ThinOut(steps, thinner, then))
            all_steps[name] = thinned
        reports = [
            each | f"Reports{name}" >> beam.FlatMap(Only(REPORT)).with_output_types(bytes)
            for name, each in all_steps.items()
        ]
        if asks and llm is not None:
            blocks = thinned | "Blocks" >> beam.FlatMap(Only(BLOCK)).with_output_types(bytes)
            reports.append(blocks | "AskAndSettle" >> AskAndSettle(steps, llm))
        return reports | "Reports" >> beam.Flatten()


@dataclass(eq=False)
class AskAndSettle(beam.PTransform):
    """From blocks of queries to encoded reports: asks the model, and applies what waits for its ratings."""

    steps: Steps
    llm: Llm

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, blocks: "beam.PCollection[bytes]") -> "beam.PCollection[bytes]":
        """Wires the asking; the thinners wait for all its reports."""
        from oreline.stages.asking import Ask

        job = self.steps.job
        chosen = rated_thinners(job)
        asked = blocks | "Ask" >> Ask(job, self.llm, Asking(parks=bool(chosen)))
        if not chosen:
            return asked
        ended = asked | "EndedEarly" >> beam.FlatMap(ended_early).with_output_types(bytes)
        handed_on = beam.FlatMap(self.steps.hand_on, beam.pvalue.AsIter(ended))
        thinned = blocks | "HandOn" >> handed_on.with_output_types(tuple[int, bytes])
        reports = [asked]
        for number, (name, thinner) in enumerate(chosen.items(), start=1):
            then: Then = "go_on" if number < len(chosen) else "keep"
            thinned = thinned | f"Thin{name}" >> Thin(ThinOut(self.steps, thinner, then))
            reports.append(thinned | f"Reports{name}" >> beam.FlatMap(Only(REPORT)).with_output_types(bytes))
        return reports | "ReportsRated" >> beam.Flatten()
