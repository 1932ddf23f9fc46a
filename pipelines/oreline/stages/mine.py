"""Stage mine: for each query the documents that its miners find, with the exact scores of its encoder."""

from dataclasses import dataclass

import apache_beam as beam

from oreline.job import Job
from oreline.recipe.settings.mine import DENSE
from oreline.search.approximate.steps import Indexed
from oreline.search.imported.mining import MineByFile, WriteIds
from oreline.search.imported.steps import Runs
from oreline.search.steps import ListDocuments, ListQueries, MineBlocks, WriteShards
from oreline.stages.wiring import RowGroups


@dataclass(eq=False)
class Mine(beam.PTransform):
    """Writes the corpus as shards, and streams all shards of a scope under each block of queries.

    Candidates from files are spread over the same blocks, beside their queries; where a file is the reference, shards
    have no vectors, and nothing is searched.
    """

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage."""
        alone = self.job.recipe.mine.reference != DENSE
        writing = WriteIds(self.job) if alone else WriteShards(self.job)
        shards = (
            root
            | "Documents" >> RowGroups(self.job, ("documents",))
            | "ListDocuments" >> beam.ParDo(ListDocuments(self.job)).with_output_types(tuple[int, bytes])
            | "GroupShards" >> beam.GroupByKey()
            | "WriteShards" >> beam.ParDo(writing).with_output_types(bytes)
        )
        blocks = (
            root
            | "Queries" >> RowGroups(self.job, ("queries",))
            | "ListQueries" >> beam.ParDo(ListQueries(self.job)).with_output_types(tuple[int, bytes])
        )
        if self.job.recipe.runs():
            blocks = (blocks, root | "Runs" >> Runs(self.job)) | "BesideQueries" >> beam.Flatten()
        sides = [beam.pvalue.AsIter(shards)]
        index = self.job.recipe.mine.index
        if index != "exact" and not alone:
            sides += [beam.pvalue.AsIter(each) for each in shards | "Index" >> Indexed(self.job, index)]
        step = MineByFile(self.job) if alone else MineBlocks(self.job)
        mining = beam.ParDo(step, *sides).with_output_types(bytes)
        return blocks | "GroupBlocks" >> beam.GroupByKey() | "MineBlocks" >> mining
