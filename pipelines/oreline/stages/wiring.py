"""What all stages share: work lists, the grouping of references, and the commit node."""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.commit import Pending, commit
from oreline.job import Job, Report
from oreline.stages.catalog import Stage
from oreline.tables.reading import RowGroup


def encode_row_group(reference: RowGroup) -> bytes:
    """Returns a reference in the form in which it crosses an edge."""
    return json.dumps([reference.table, reference.path, reference.index, reference.rows]).encode()


def decode_row_group(encoded: bytes) -> RowGroup:
    """Reads what `encode_row_group` wrote."""
    table, path, index, rows = json.loads(encoded)
    return RowGroup(table, path, index, rows)


def keyed(reference: bytes) -> tuple[int, bytes]:
    """Returns a reference under a key of its own, the same in every run."""
    return zlib.crc32(reference), reference


def ungrouped(group: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
    """Yields the references of a group."""
    return iter(group[1])


class Spread(beam.PTransform):
    """Spreads references over the workers. Beam's own Reshuffle would pickle them on the way."""

    def expand(self, references: "beam.PCollection[bytes]") -> "beam.PCollection[bytes]":
        """Wires a grouping by a key of each reference, and takes the groups apart again."""
        return (
            references
            | "Key" >> beam.Map(keyed).with_output_types(tuple[int, bytes])
            | "Group" >> beam.GroupByKey()
            | "Ungroup" >> beam.FlatMap(ungrouped).with_output_types(bytes)
        )


@dataclass(frozen=True)
class ListRowGroups:
    """Lists references to all rows of some input tables; runs on a worker, as a graph holds no work list."""

    job: Job
    tables: tuple[str, ...]

    def __call__(self, _: bytes) -> Iterator[bytes]:
        """Yields the encoded references."""
        for table in self.tables:
            for reference in self.job.row_groups(table):
                yield encode_row_group(reference)


@dataclass(eq=False)
class RowGroups(beam.PTransform):
    """Yields a reference per row group of the named input tables, spread over the workers."""

    job: Job
    tables: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the work list."""
        listing = ListRowGroups(self.job, self.tables)
        return (
            root
            | "Start" >> beam.Impulse()
            | "ListRowGroups" >> beam.FlatMap(listing).with_output_types(bytes)
            | "Spread" >> Spread()
        )


@dataclass(frozen=True)
class CommitReports:
    """Writes the manifest of a job from all its reports."""

    job: Job
    stage: Stage
    pending: Pending

    def __call__(self, _: bytes, encoded: Iterable[bytes]) -> bytes:
        """Commits; what it returns is of no use."""
        commit(self.job, self.stage, self.pending, (Report.decode(each) for each in encoded))
        return b""


@dataclass(eq=False)
class Commit(beam.PTransform):
    """The last node of every job: takes the reports, checks the books, writes the manifest."""

    job: Job
    stage: Stage
    pending: Pending

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, reports: "beam.PCollection[bytes]") -> "beam.PCollection[bytes]":
        """Wires the commit."""
        committing = CommitReports(self.job, self.stage, self.pending)
        return (
            reports.pipeline
            | "StartCommit" >> beam.Impulse()
            | "CommitReports" >> beam.Map(committing, beam.pvalue.AsIter(reports)).with_output_types(bytes)
        )
