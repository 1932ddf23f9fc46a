"""Stage mine: for each query the documents that its encoder finds, exactly."""

from dataclasses import dataclass

import apache_beam as beam

from oreline.job import Job
from oreline.search.steps import ListDocuments, ListQueries, MineBlocks, WriteShards
from oreline.stages.wiring import RowGroups


@dataclass(eq=False)
class Mine(beam.PTransform):
    """Writes the corpus as shards, and streams all shards of a scope under each block of queries."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage."""
        shards = (
            root
            | "Documents" >> RowGroups(self.job, ("documents",))
            | "ListDocuments" >> beam.ParDo(ListDocuments(self.job)).with_output_types(tuple[int, bytes])
            | "GroupShards" >> beam.GroupByKey()
            | "WriteShards" >> beam.ParDo(WriteShards(self.job)).with_output_types(bytes)
        )
        blocks = (
            root
            | "Queries" >> RowGroups(self.job, ("queries",))
            | "ListQueries" >> beam.ParDo(ListQueries(self.job)).with_output_types(tuple[int, bytes])
            | "GroupBlocks" >> beam.GroupByKey()
        )
        mining = beam.ParDo(MineBlocks(self.job), beam.pvalue.AsIter(shards)).with_output_types(bytes)
        return blocks | "MineBlocks" >> mining
