"""What dedup and filter share: the index of the benchmarks as a side input, and what was dropped for them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from oreline.decontamination.stage import built_index
from oreline.job import Job
from oreline.minhash.finishing import DROPPED
from oreline.records import Content
from oreline.shuffle import Reference, Scatter, gather


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
class JoinDropped:
    """From references to the ids of dropped documents to a few references to all of them."""

    job: Job

    def __call__(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields the references; without it every reader would open a file for each group of documents."""
        scatter = Scatter(self.job, "dropped")
        ids = gather(keyed[1])["dropped"]
        for _, reference in (*scatter.write([0] * ids.num_rows, ids), *scatter.close()):
            yield reference


def dropped(reference: Reference) -> Iterator[Reference]:
    """Yields a reference to ids of dropped documents, or nothing for a report."""
    if reference[0] == DROPPED:
        yield reference


@dataclass(eq=False)
class DroppedDocuments(beam.PTransform):
    """From what comes of documents to references to the ids of all that were dropped for a benchmark."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, rewritten: "beam.PCollection[Reference]") -> "beam.PCollection[bytes]":
        """Wires the joining."""
        return (
            rewritten
            | "References" >> beam.FlatMap(dropped).with_output_types(tuple[int, bytes])
            | "Group" >> beam.GroupByKey()
            | "Join" >> beam.FlatMap(JoinDropped(self.job)).with_output_types(bytes)
        )
