"""Prepared blocks: the texts of one range of keys, on disk, with what the store has not yet.

A block is what one call of the encoder works on. Its reference is a short JSON; the texts never cross an edge. The
missing texts of a block depend on its range alone, so its vectors do not depend on workers or on the input's order.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.embeddings.store import VectorStore
from oreline.embeddings.texts import TEXT_SCHEMA
from oreline.job import Job

BLOCK_ROWS = 16_384
"""Rows of a block at most."""


@dataclass(frozen=True)
class BlockReference:
    """Where a prepared block is, and which range of keys it belongs to.

    `stopped` says that the user ended the work before all of its texts had vectors.
    """

    path: str
    bucket: int
    buckets: int
    stopped: bool = False

    def encode(self) -> bytes:
        """Returns the reference as it crosses an edge."""
        return json.dumps([self.path, self.bucket, self.buckets, self.stopped]).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "BlockReference":
        """Reads what `encode` wrote."""
        path, bucket, buckets, stopped = json.loads(encoded)
        return cls(path, bucket, buckets, stopped)


def prepare(job: Job, store: VectorStore, bucket: int, buckets: int, texts: pa.Table) -> Iterator[BlockReference]:
    """Writes the texts of one range (`TEXT_SCHEMA`) as blocks; a text that the store has becomes null."""
    texts = texts.select(TEXT_SCHEMA.names).sort_by([("key", "ascending"), ("side", "ascending"), ("id", "ascending")])
    keys = texts.column("key").to_pylist()
    present = store.present(set(keys))
    reused = pc.is_in(texts.column("key"), pa.array(sorted(present), pa.string()))
    text = pc.if_else(reused, pa.scalar(None, pa.string()), texts.column("text"))
    texts = texts.set_column(texts.column_names.index("text"), TEXT_SCHEMA.field("text"), text)
    start = 0
    while start < len(keys):
        stop = min(start + BLOCK_ROWS, len(keys))
        while stop < len(keys) and keys[stop] == keys[stop - 1]:
            stop += 1
        path = job.scratch("block") + ".parquet"
        with files.open_write(path) as file:
            pq.write_table(texts.slice(start, stop - start), file, compression="lz4")
        yield BlockReference(path, bucket, buckets)
        start = stop


def read_block(reference: BlockReference) -> pa.Table:
    """Returns the texts of a block."""
    with files.open_read(reference.path) as file, pq.ParquetFile(file) as parquet:
        return parquet.read()


def missing(block: pa.Table) -> tuple[list[str], list[str]]:
    """Returns the distinct (keys, texts) of a block that are to be encoded, sorted by key; blank texts are none."""
    wanted = block.filter(pc.and_(pc.is_valid(block.column("text")), pc.invert(block.column("blank"))))
    keys = wanted.column("key").to_pylist()
    if not keys:
        return [], []
    unique, first = np.unique(np.array(keys, dtype=object).astype(str), return_index=True)
    texts = wanted.column("text").take(pa.array(first)).to_pylist()
    return [str(key) for key in unique], texts
