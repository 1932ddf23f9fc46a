"""What dedup and filter share: the index of the benchmarks as a side input; and what dedup drops for them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from oreline.decontamination.stage import built_index, screen_of
from oreline.errors import StageFailed
from oreline.job import Job, StageWriter
from oreline.minhash.screened import NOT_SCREENED, joined_ids
from oreline.minhash.steps import Route, Steps, routed_to
from oreline.records import Content
from oreline.shuffle import Reference, gather
from oreline.stages.routing import Keyed


@dataclass(frozen=True)
class BuildIndex:
    """Builds the index of the benchmarks; runs on a worker, as a graph reads nothing."""

    job: Job
    contents: Sequence[Content]

    def __call__(self, _: bytes) -> Iterator[bytes]:
        """Yields where the index is, or why it cannot be built; nothing without benchmarks."""
        yield from built_index(self.job, self.contents)


@dataclass(eq=False)
class Benchmarks(beam.PTransform):
    """From the root to where the index is: at most one element, for texts of these content types."""

    job: Job
    contents: Sequence[Content]

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the building."""
        building = BuildIndex(self.job, self.contents)
        return root | "StartIndex" >> beam.Impulse() | "BuildIndex" >> beam.FlatMap(building).with_output_types(bytes)


@dataclass(frozen=True)
class SignScreened:
    """Dedup's first step where there are benchmarks: what is dropped for one is dropped before duplicates are."""

    steps: Steps

    def sign(self, keyed: Keyed, benchmarks: Iterable[bytes]) -> Iterator[Reference]:
        """From a group to what `Steps.signed` yields; a method by name, as it has a side input."""
        try:
            screen = screen_of(self.steps.job, benchmarks)
        except StageFailed as error:
            report = StageWriter(self.steps.job).close(failure="benchmark", message=str(error))
            yield routed_to(0, Route.REPORT), report.encode()
            yield routed_to(keyed[0], Route.REWRITE), NOT_SCREENED
            return
        yield from self.steps.signed(*keyed, screen.documents if screen else None)


@dataclass(frozen=True)
class JoinDropped:
    """From references to the ids of dropped documents to few references to all of them."""

    job: Job

    def __call__(self, keyed: Keyed) -> Iterator[bytes]:
        """Yields the references."""
        for _, reference in joined_ids(self.job, gather(keyed[1])["dropped"]):
            yield reference


@dataclass(eq=False)
class DroppedDocuments(beam.PTransform):
    """From references to ids of dropped documents, under one key, to few references to all of them."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, dropped: "beam.PCollection[Reference]") -> "beam.PCollection[bytes]":
        """Wires the joining."""
        joining = beam.FlatMap(JoinDropped(self.job)).with_output_types(bytes)
        return dropped | "Group" >> beam.GroupByKey() | "Join" >> joining
