"""The steps of imported candidates: a work item per file, and its candidates beside the blocks of their queries."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.errors import CallError
from oreline.job import Job, StageWriter
from oreline.search.imported.checks import files_of
from oreline.search.imported.formats import form_of
from oreline.search.imported.lines import blocks_of
from oreline.search.imported.spreading import RunFile, rows_of
from oreline.search.ranges import REPORT, keys_of_queries
from oreline.shuffle import Scatter
from oreline.stages.wiring import Spread


@dataclass(frozen=True)
class ListRuns:
    """Lists the files of imported candidates; runs on a worker, as a graph holds no work list."""

    job: Job

    def __call__(self, _: bytes) -> Iterator[bytes]:
        """Yields (miner, number, path) as JSON."""
        for miner, settings in self.job.recipe.runs().items():
            for number, each in enumerate(files_of(settings)):
                yield json.dumps([miner, number, each.path]).encode()


class ReadRuns(beam.DoFn):
    """Reads a file of candidates block by block and spreads them over the blocks of their queries."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (block of queries, reference), and a report."""
        miner, number, path = json.loads(element)
        settings = self._job.recipe.runs()[miner]
        writer = StageWriter(self._job)
        scatter = Scatter(self._job, "runs")
        try:
            file = RunFile(miner, settings, number, path, form_of(settings, path))
            for block in blocks_of(path):
                if self._job.stop_requested():
                    message = "interrupted; mine starts again next time"
                    yield REPORT, writer.close(stopped="interrupted", message=message).encode()
                    return
                rows = rows_of(self._job, file, block, writer)
                yield from scatter.write(_keys(self._job, rows), rows)
        except CallError as error:
            yield REPORT, writer.close(failure="imported", message=str(error)).encode()
            return
        yield from scatter.close()
        yield REPORT, writer.close().encode()


def _keys(job: Job, rows: pa.Table) -> npt.NDArray[np.int64]:
    """Returns the block of each candidate's query; a query has many candidates, and its block is found once."""
    queries = rows.column("query_id").combine_chunks().dictionary_encode()
    numbers = np.asarray(queries.indices, np.int64)
    _, first = np.unique(numbers, return_index=True)
    datasets = rows.column("dataset").take(pa.array(first)).to_pylist()
    keys = np.array(keys_of_queries(job, datasets, queries.dictionary.to_pylist()), np.int64)
    return keys[numbers]


@dataclass(eq=False)
class Runs(beam.PTransform):
    """Yields (block of queries, reference to imported candidates) and, under REPORT, what is said of their files."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[tuple[int, bytes]]":
        """Wires the work list and its reading."""
        return (
            root
            | "StartRuns" >> beam.Impulse()
            | "ListRuns" >> beam.FlatMap(ListRuns(self.job)).with_output_types(bytes)
            | "SpreadRuns" >> Spread()
            | "ReadRuns" >> beam.ParDo(ReadRuns(self.job)).with_output_types(tuple[int, bytes])
        )
