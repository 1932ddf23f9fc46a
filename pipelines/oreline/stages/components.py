"""Components of a graph whose edges are blocks: on one machine, or by rounds of large-star and small-star."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.minhash.rounds import Rounds
from oreline.minhash.steps import Route, Steps, along
from oreline.shuffle import Reference
from oreline.stages.routing import Along, Keyed, Step

ROUNDS = 6
"""Rounds in a job. Clusters of duplicates need two; what is unsettled after these is joined on one machine."""


@dataclass(frozen=True)
class HalfRounds:
    """The half-rounds by name, as FlatMap gives a callable object no side input."""

    rounds: Rounds

    def begin(self, reference: Reference) -> Iterator[Reference]:
        """From a block of edges to rows in both directions."""
        yield from self.rounds.begun(reference[1])

    def large(self, keyed: Keyed, changes: Iterable[bytes]) -> Iterator[Reference]:
        """Large-star of the nodes of a range."""
        yield from self.rounds.large(keyed[1], changes)

    def small(self, keyed: Keyed, changes: Iterable[bytes]) -> Iterator[Reference]:
        """Small-star of the nodes of a range."""
        yield from self.rounds.small(keyed[1], changes)

    def settle(self, keyed: Keyed, changes: Iterable[bytes]) -> Iterator[Reference]:
        """Yields what is settled by range, what is not under one key."""
        yield from self.rounds.settled(*keyed, changes)

    def label(self, keyed: Keyed) -> Iterator[Reference]:
        """From stars to labels by group."""
        yield from self.rounds.labelled(*keyed)


@dataclass(frozen=True)
class Changes:
    """Takes the numbers of changes out of a half-round's output."""

    def __call__(self, reference: Reference) -> Iterator[bytes]:
        """Yields the number, if it is one."""
        for _, number in along(Route.COMPARE, reference):
            yield number


@dataclass(eq=False)
class Components(beam.PTransform):
    """From references to edges, under any key, to references to the labels of their nodes, by group."""

    steps: Steps
    distributed: bool

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, edges: "beam.PCollection[Reference]") -> "beam.PCollection[Reference]":
        """Wires one step, or all rounds."""
        if not self.distributed:
            return (
                edges
                | "GroupEdges" >> beam.GroupByKey()
                | "Join" >> beam.FlatMap(Step(self.steps.joined)).with_output_types(tuple[int, bytes])
            )
        halves = HalfRounds(Rounds(self.steps))
        rows = edges | "Begin" >> beam.FlatMap(halves.begin).with_output_types(tuple[int, bytes])
        changes = edges.pipeline | "Unsettled" >> beam.Create([b"1"], reshuffle=False).with_output_types(bytes)
        for number in range(1, ROUNDS + 1):
            seen = beam.pvalue.AsIter(changes)
            larger = self._half(rows, f"Large{number}", halves.large, seen)
            smaller = self._half(larger, f"Small{number}", halves.small, seen)
            changes = (
                larger | f"LargeChanges{number}" >> beam.FlatMap(Changes()).with_output_types(bytes),
                smaller | f"SmallChanges{number}" >> beam.FlatMap(Changes()).with_output_types(bytes),
            ) | f"Changes{number}" >> beam.Flatten()
            rows = smaller
        return (
            rows
            | "KeepRows" >> beam.FlatMap(Along(Route.JOIN)).with_output_types(tuple[int, bytes])
            | "GroupRows" >> beam.GroupByKey()
            | "Settle" >> beam.FlatMap(halves.settle, beam.pvalue.AsIter(changes)).with_output_types(tuple[int, bytes])
            | "GroupStars" >> beam.GroupByKey()
            | "Label" >> beam.FlatMap(halves.label).with_output_types(tuple[int, bytes])
        )

    @staticmethod
    def _half(
        rows: "beam.PCollection[Reference]", name: str, half: object, changes: beam.pvalue.AsIter
    ) -> "beam.PCollection[Reference]":
        return (
            rows
            | f"{name}Rows" >> beam.FlatMap(Along(Route.JOIN)).with_output_types(tuple[int, bytes])
            | f"{name}Group" >> beam.GroupByKey()
            | name >> beam.FlatMap(half, changes).with_output_types(tuple[int, bytes])
        )
