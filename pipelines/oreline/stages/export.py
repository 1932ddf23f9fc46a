"""Export: triples with their texts → a trainer's files below `train/`."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from oreline.exporters.exporting import Exporting
from oreline.exporters.texts import texts_of
from oreline.job import Job
from oreline.stages.wiring import RowGroups, decode_row_group


class ExportTriples(beam.DoFn):
    """Exports row groups of triples; one set of files per bundle, so that many small groups make few files."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def start_bundle(self) -> None:
        """Starts a set of files."""
        self._exporting = Exporting(self._job, texts_of(self._job.recipe))

    def process(self, reference: bytes) -> Iterator[bytes]:
        """Exports one row group; the report comes with the bundle's end."""
        self._exporting.add(decode_row_group(reference))
        yield from ()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Finishes the files and yields the encoded report."""
        yield GlobalWindows.windowed_value(self._exporting.close().encode())


@dataclass(eq=False)
class Export(beam.PTransform):
    """Wires the stage export: from a pipeline's root to encoded reports."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires reading and writing as one step."""
        references = root | "ListTriples" >> RowGroups(self.job, ("triples",))
        return references | "ExportTriples" >> beam.ParDo(ExportTriples(self.job)).with_output_types(bytes)
