"""The end of select with `select.gates.score_quantile`: low rows of each source go. The logic is in `selection`."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.job import Job
from oreline.selection.aside import REPORT
from oreline.selection.quantiles import Quantiles


def pieces_only(keyed: tuple[int, bytes]) -> Iterator[bytes]:
    """Yields the references to rows put aside."""
    if keyed[0] != REPORT:
        yield keyed[1]


def reports_only(keyed: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """Yields what is a report, under its key."""
    if keyed[0] == REPORT:
        yield keyed


def under_one_key(encoded: bytes) -> tuple[int, bytes]:
    """Returns a reference under the one key by which all are gathered."""
    return 0, encoded


@dataclass(eq=False)
class DropLow(beam.PTransform):
    """From (scope, reference to rows put aside), reports among them, to the same without the rows that lie too low."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, selected: "beam.PCollection[tuple[int, bytes]]") -> "beam.PCollection[tuple[int, bytes]]":
        """Wires the thresholds of all rows, and the rows that stay."""
        quantiles = Quantiles(self.job)
        keyed = tuple[int, bytes]
        pieces = selected | "Pieces" >> beam.FlatMap(pieces_only).with_output_types(bytes)
        thresholds = (
            pieces
            | "KeyPieces" >> beam.Map(under_one_key).with_output_types(keyed)
            | "GatherPieces" >> beam.GroupByKey()
            | "FindThresholds" >> beam.FlatMap(quantiles.gather).with_output_types(keyed)
        )
        kept = pieces | "KeepRows" >> beam.FlatMap(quantiles.keep, beam.pvalue.AsIter(thresholds)).with_output_types(
            keyed
        )
        earlier = selected | "EarlierReports" >> beam.FlatMap(reports_only).with_output_types(keyed)
        found = thresholds | "Histograms" >> beam.FlatMap(reports_only).with_output_types(keyed)
        return (earlier, found, kept) | "DropLowOutput" >> beam.Flatten()
