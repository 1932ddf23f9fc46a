"""Stage embed: every document and query gets a vector in the store of each encoder that is used."""

from dataclasses import dataclass

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from oreline.embeddings.handler import BlockEncoder
from oreline.embeddings.steps import ListVectors, PrepareBlocks, RenderTexts, WriteVectors
from oreline.job import Job
from oreline.stages.wiring import RowGroups, Spread


@dataclass(eq=False)
class Embed(beam.PTransform):
    """Renders texts, looks them up in the stores, and encodes what is missing in blocks through RunInference.

    Documents and queries of all encoders go through one step: a worker takes blocks as they come, and loads an
    encoder with the first block of its own. What became of a text is then joined over its encoders.
    """

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
            | "ListVectors"
            >> beam.ParDo(ListVectors(self.job)).with_input_types(bytes).with_output_types(tuple[int, bytes])
            | "GroupByText" >> beam.GroupByKey()
            | "WriteVectors" >> beam.ParDo(WriteVectors(self.job)).with_output_types(bytes)
        )
