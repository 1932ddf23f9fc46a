"""The end of select with `select.near_queries`: of rows with near queries one stays. The logic is in `selection`."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.encoders.identity import EncoderIdentity, identity
from oreline.job import Job
from oreline.selection.aside import REPORT
from oreline.selection.thinning import Thinning
from oreline.stages.wiring import Spread


class LookUpVectors(beam.DoFn):
    """Writes the vectors of a block: (scope, block), or (REPORT, report) if the store lacks some."""

    def __init__(self, thinning: Thinning) -> None:
        self._thinning = thinning

    def setup(self) -> None:
        """Finds the encoder whose vectors are compared."""
        self._encoder: EncoderIdentity = identity(self._thinning.job.recipe.encoder)

    def process(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields one of both."""
        yield from self._thinning.look_up(block, self._encoder)


def put_aside_only(keyed: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """Yields what is under a scope."""
    if keyed[0] != REPORT:
        yield keyed


def failures_only(keyed: tuple[int, bytes]) -> Iterator[bytes]:
    """Yields what is a report."""
    if keyed[0] == REPORT:
        yield keyed[1]


@dataclass(eq=False)
class DropNear(beam.PTransform):
    """From (scope, reference to rows put aside), reports among them, to encoded reports: every two blocks compared."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, selected: "beam.PCollection[tuple[int, bytes]]") -> "beam.PCollection[bytes]":
        """Wires blocks, vectors, pairs of blocks, decisions, and the rows that stay."""
        thinning = Thinning(self.job)
        blocks = (
            selected
            | "PutAside" >> beam.FlatMap(put_aside_only).with_output_types(tuple[int, bytes])
            | "GroupByScope" >> beam.GroupByKey()
            | "Pack" >> beam.FlatMap(thinning.pack).with_output_types(bytes)
            | "SpreadBlocks" >> Spread()
        )
        looked_up = blocks | "LookUpVectors" >> beam.ParDo(LookUpVectors(thinning)).with_output_types(tuple[int, bytes])
        decisions = (
            looked_up
            | "WithVectors" >> beam.FlatMap(put_aside_only).with_output_types(tuple[int, bytes])
            | "GroupBlocks" >> beam.GroupByKey()
            | "PairUp" >> beam.FlatMap(thinning.pair_up).with_output_types(bytes)
            | "SpreadPairs" >> Spread()
            | "Compare" >> beam.FlatMap(thinning.compare).with_output_types(tuple[int, bytes])
            | "GroupNear" >> beam.GroupByKey()
            | "Lead" >> beam.Map(thinning.lead).with_output_types(tuple[int, bytes])
        )
        finished = blocks | "Finish" >> beam.Map(thinning.finish, beam.pvalue.AsIter(decisions)).with_output_types(
            bytes
        )
        failed = looked_up | "Failures" >> beam.FlatMap(failures_only).with_output_types(bytes)
        return (finished, failed) | "DropNearReports" >> beam.Flatten()
