"""Stage ingest: sources become documents, queries and pairs.

Files are listed on a worker, read in batches, and their rows scattered by hash of the document's id; each hash range
settles its documents and sends its judgements on to the hash range of their query.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.job import Job
from oreline.sources.scan import CheckShare, Kind, LargestHash, ListFiles, Message, ReadFiles
from oreline.sources.settle import SettleDocuments, SettleQueries
from oreline.stages.wiring import Spread


@dataclass(frozen=True)
class Pick:
    """Takes the messages of one kind out of a mixed stream, with their keys."""

    kind: Kind

    def __call__(self, message: Message) -> Iterator[tuple[int, bytes]]:
        """Yields key and matter, if the message is of the kind."""
        kind, key, matter = message
        if kind == self.kind:
            yield key, matter


@dataclass(frozen=True)
class PickMatter:
    """Takes the messages of one kind out of a mixed stream, without their keys."""

    kind: Kind

    def __call__(self, message: Message) -> Iterator[bytes]:
        """Yields the matter, if the message is of the kind."""
        kind, _, matter = message
        if kind == self.kind:
            yield matter


@dataclass(eq=False)
class Ingest(beam.PTransform):
    """Reads the recipe's sources; yields encoded reports."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires listing, reading, settling of documents, settling of queries."""
        # Beam passes side inputs to functions and methods, not to objects that are callable.
        settle_documents = SettleDocuments(self.job).__call__
        listed = (
            root
            | "Start" >> beam.Impulse()
            | "ListFiles" >> beam.FlatMap(ListFiles(self.job)).with_output_types(tuple[str, int, bytes])
        )
        read = (
            listed
            | "PickWork" >> beam.FlatMap(PickMatter("work")).with_output_types(bytes)
            | "SpreadFiles" >> Spread()
            | "ReadFiles" >> beam.FlatMap(ReadFiles(self.job)).with_output_types(tuple[str, int, bytes])
        )
        limits = (
            self._pick(read, "smallest")
            | "GroupSmallest" >> beam.GroupByKey()
            | "FindLimits" >> beam.Map(LargestHash(self.job)).with_output_types(tuple[int, bytes])
        )
        settled = (
            self._pick(read, "document")
            | "GroupByDocument" >> beam.GroupByKey()
            | "SettleDocuments"
            >> beam.FlatMap(settle_documents, beam.pvalue.AsDict(limits)).with_output_types(tuple[str, int, bytes])
        )
        related = (
            (self._pick(read, "relation", "Read"), self._pick(settled, "relation", "Settled"))
            | "FlattenRelations" >> beam.Flatten()
            | "GroupByQuery" >> beam.GroupByKey()
            | "SettleQueries" >> beam.FlatMap(SettleQueries(self.job)).with_output_types(bytes)
        )
        shares = (
            self._pick(read, "share")
            | "GroupShares" >> beam.GroupByKey()
            | "CheckShares" >> beam.FlatMap(CheckShare(self.job)).with_output_types(bytes)
        )
        reports = [
            messages | f"PickReports{name}" >> beam.FlatMap(PickMatter("report")).with_output_types(bytes)
            for name, messages in (("Listed", listed), ("Read", read), ("Settled", settled))
        ]
        return (*reports, related, shares) | "FlattenReports" >> beam.Flatten()

    def _pick(
        self, messages: "beam.PCollection[Message]", kind: Kind, name: str = ""
    ) -> "beam.PCollection[tuple[int, bytes]]":
        return messages | f"Pick{name}{kind.title()}" >> beam.FlatMap(Pick(kind)).with_output_types(tuple[int, bytes])
