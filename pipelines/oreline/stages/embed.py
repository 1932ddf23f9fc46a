"""Stage embed: every document and query gets a vector in the store."""

from dataclasses import dataclass

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from oreline.embeddings.handler import BlockEncoder
from oreline.embeddings.steps import PrepareBlocks, RenderTexts, WriteVectors
from oreline.job import Job
from oreline.stages.wiring import RowGroups, Spread


@dataclass(eq=False)
class Embed(beam.PTransform):
    """Renders texts, looks them up in the store, and encodes what is missing in blocks through RunInference."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage."""
        return (
            root
            | "ListTexts" >> RowGroups(self.job, ("documents", "queries"))
            | "RenderTexts" >> beam.ParDo(RenderTexts(self.job)).with_output_types(tuple[int, bytes])
            | "GroupByRange" >> beam.GroupByKey()
            | "PrepareBlocks" >> beam.ParDo(PrepareBlocks(self.job)).with_output_types(bytes)
            | "SpreadBlocks" >> Spread()
            | "EncodeBlocks" >> RunInference(BlockEncoder(self.job))
            | "WriteVectors" >> beam.ParDo(WriteVectors(self.job)).with_input_types(bytes).with_output_types(bytes)
        )
