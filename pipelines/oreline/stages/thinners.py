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
        """Yields references to what is decided by; nothing without a thinner."""
        if self.thinner is not None:
            yield from self.steps.prepare(self.thinner, keyed[1])

    def applied(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields what stays."""
        yield from self.steps.thin(self.thinner, keyed[1], self.then)


@dataclass(eq=False)
class Thin(beam.PTransform):
    """From (hash range, reference), reports among them, to the same with what a thinner leaves."""

    thin: ThinOut

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, before: "beam.PCollection[Reference]") -> "beam.PCollection[Reference]":
        """Wires preparing, deciding in one or two steps, and applying."""
        going = before | "GoOn" >> beam.FlatMap(goes_on).with_output_types(tuple[int, bytes])
        apply = beam.FlatMap(self.thin.applied).with_output_types(tuple[int, bytes])
        grouped = going | "GroupQueries" >> beam.GroupByKey()
        thinner = self.thin.thinner
        if thinner is None:
            return grouped | "Apply" >> apply
        prepared = (
            grouped
            | "Prepare" >> beam.FlatMap(self.thin.prepared).with_output_types(tuple[int, bytes])
            | "GroupPrepared" >> beam.GroupByKey()
        )
        if isinstance(thinner, Duplicates):
            prepared = (
                prepared
                | "Compare" >> beam.FlatMap(thinner.compare).with_output_types(tuple[int, bytes])
                | "GroupEdges" >> beam.GroupByKey()
            )
        decisions = prepared | "Decide" >> beam.FlatMap(thinner.decide).with_output_types(tuple[int, bytes])
        # Grouped once more, with the queries' references: a range gets the decisions about its queries, and no others.
        return (
            (going, decisions)
            | "WithDecisions" >> beam.Flatten()
            | "GroupDecisions" >> beam.GroupByKey()
            | "Apply" >> apply
        )
