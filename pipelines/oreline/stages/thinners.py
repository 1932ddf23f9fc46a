"""The wiring of filter's thinners: near queries, near pairs, caps. The logic is in `filters`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.filters.duplicates import Duplicates
from oreline.filters.steps import Steps, Then
from oreline.filters.thinners import Thinner
from oreline.shuffle import Reference


def goes_on(keyed: Reference) -> Iterator[Reference]:
    """Yields what the next step groups by hash range, or nothing."""
    if keyed[0] >= 0:
        yield keyed


@dataclass(frozen=True)
class ThinOut:
    """From a hash range of queries to references, a report, and blocks for the rater where it comes next."""

    steps: Steps
    thinner: Thinner | None
    then: Then

    def prepared(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields references to what is decided by."""
        if self.thinner is not None:
            yield from self.steps.prepare(self.thinner, keyed[1])

    def applied(self, keyed: tuple[int, Iterable[bytes]], decisions: Iterable[bytes]) -> Iterator[Reference]:
        """Yields what stays; a method by name, as FlatMap gives a callable object no side input."""
        yield from self.steps.thin(self.thinner, keyed[1], decisions, self.then)


@dataclass(eq=False)
class Thin(beam.PTransform):
    """From (hash range, reference), reports among them, to the same with what a thinner leaves."""

    thin: ThinOut

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, before: "beam.PCollection[Reference]") -> "beam.PCollection[Reference]":
        """Wires preparing, deciding in one or two steps, and applying."""
        grouped = (
            before
            | "GoOn" >> beam.FlatMap(goes_on).with_output_types(tuple[int, bytes])
            | "GroupQueries" >> beam.GroupByKey()
        )
        prepared = (
            grouped
            | "Prepare" >> beam.FlatMap(self.thin.prepared).with_output_types(tuple[int, bytes])
            | "GroupPrepared" >> beam.GroupByKey()
        )
        thinner = self.thin.thinner
        if isinstance(thinner, Duplicates):
            prepared = (
                prepared
                | "Compare" >> beam.FlatMap(thinner.compare).with_output_types(tuple[int, bytes])
                | "GroupEdges" >> beam.GroupByKey()
            )
        decide = nothing if thinner is None else thinner.decide
        decisions = prepared | "Decide" >> beam.Map(decide).with_output_types(bytes)
        applied = beam.FlatMap(self.thin.applied, beam.pvalue.AsIter(decisions))
        return grouped | "Apply" >> applied.with_output_types(tuple[int, bytes])


def nothing(keyed: tuple[int, Iterable[bytes]]) -> bytes:
    """Is never called: where nothing thins out, nothing is prepared."""
    raise ValueError(f"range {keyed[0]} was prepared although nothing is to be decided; this is a bug in oreline")
