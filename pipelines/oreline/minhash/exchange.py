"""What the steps of dedup hand each other through scratch files: nodes, buckets, candidates, decisions."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.heartbeat import Heartbeat
from oreline.job import Job
from oreline.minhash.candidates import BUCKETS, COLUMNS, NODES, describe, ranges_of, shared_buckets
from oreline.minhash.clusters import DECISIONS, decide
from oreline.minhash.parameters import Parameters
from oreline.shuffle import Reference, Scatter, gather
from oreline.tables.reading import RowGroup

NODES_KEY = -1
"""Key of the references to nodes; other keys are ranges of buckets."""

_BLOCK_ROWS = 4_096
_RANGE_ROWS = 1_000_000


@dataclass(frozen=True)
class Exchange:
    """The steps of dedup as functions from references to references."""

    job: Job
    parameters: Parameters

    def signed(self, reference: RowGroup) -> Iterator[Reference]:
        """Yields references to nodes and buckets of a row group of documents; none once the user stopped the run."""
        nodes, buckets = Scatter(self.job, "nodes"), Scatter(self.job, "buckets")
        heartbeat = Heartbeat(self.job)
        ranges = self.ranges()
        table = self.job.read(reference, COLUMNS)
        for start in range(0, table.num_rows, _BLOCK_ROWS):
            if self.job.stop_requested():
                return
            block = describe(table.slice(start, _BLOCK_ROWS), self.parameters)
            yield from nodes.write(np.full(block.nodes.num_rows, NODES_KEY), block.nodes)
            keys = ranges_of(block.buckets.column("bucket").to_numpy(), ranges)
            yield from buckets.write(keys.astype(np.int64), block.buckets)
            heartbeat.add(block.nodes.num_rows)
        yield from nodes.close()
        yield from buckets.close()
        heartbeat.flush()

    def ranges(self) -> int:
        """Returns the number of bucket ranges: what comes out does not depend on it."""
        documents = sum(part.rows for part in self.job.parts("documents"))
        return 1 + documents * (self.parameters.bands + 1) // _RANGE_ROWS

    def candidates(self, key: int, references: Iterable[bytes]) -> Iterator[bytes]:
        """Yields references to the shared buckets of a range; references to nodes pass through."""
        if key == NODES_KEY:
            yield from references
            return
        scatter = Scatter(self.job, "candidates")
        shared = shared_buckets(gather(references)["buckets"])
        for _, reference in (*scatter.write(np.zeros(shared.num_rows), shared), *scatter.close()):
            yield reference

    def decisions(self, references: Iterable[bytes]) -> str:
        """Decides on all candidates, on one machine, and returns the path of the decisions.

        In memory: the candidates' buckets and shingles, not their texts, and nothing of documents without a candidate.
        """
        by_tag: dict[str, list[bytes]] = {"nodes": [], "candidates": []}
        for reference in references:
            by_tag[json.loads(reference)[0]].append(reference)
        shared = gather(by_tag["candidates"]).get("candidates", BUCKETS.empty_table())
        wanted = pc.unique(shared.column("doc_id"))
        blocks = (gather([reference])["nodes"] for reference in by_tag["nodes"])
        nodes = [block.filter(pc.is_in(block.column("doc_id"), wanted)) for block in blocks]
        decided = decide(
            pa.concat_tables([NODES.empty_table(), *nodes]), shared, self._judged(wanted), self.parameters.threshold
        )
        path = self.job.scratch("decisions") + ".parquet"
        with files.open_write(path) as file:
            pq.write_table(decided, file, row_group_size=_RANGE_ROWS)
        return path

    def _judged(self, wanted: pa.Array) -> set[str]:
        judged: set[str] = set()
        for block in self.job.iterate("pairs", ["doc_id"]):
            column = block.column("doc_id")
            judged.update(column.filter(pc.is_in(column, wanted)).to_pylist())
        return judged


def decisions_about(paths: Iterable[bytes], doc_ids: pa.ChunkedArray) -> pa.Table:
    """Returns the decisions about some documents; the decisions are streamed, only these are held."""
    wanted = doc_ids.combine_chunks()
    found = [DECISIONS.empty_table()]
    for path in paths:
        with files.open_read(path.decode()) as file, pq.ParquetFile(file) as parquet:
            for group in range(parquet.num_row_groups):
                block = parquet.read_row_group(group)
                found.append(block.filter(pc.is_in(block.column("doc_id"), wanted)))
    return pa.concat_tables(found)
