"""Vectors of further encoders beside the reference's: keys, files beside the shards, and what a miner searches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.embeddings.store import VectorStore
from oreline.search.scores import Float16, Int64

FURTHER = pa.list_(pa.struct([("miner", pa.string()), ("vector_key", pa.string())]))


class MissingVectors(Exception):
    """A store lacks vectors that embed's table lists: `number` of them."""

    def __init__(self, store: VectorStore, number: int) -> None:
        super().__init__(f"{number} vectors are not in the store")
        self.store = store
        self.number = number


@dataclass(frozen=True)
class Seen:
    """What a further encoder has of a shard or a block of queries: rows of it, ascending, and their vectors."""

    rows: Int64
    vectors: Float16


def vectors_of(store: VectorStore, keys: list[str]) -> Float16:
    """Returns vectors by key; raises MissingVectors if the store lacks one."""
    vectors, found = store.lookup(keys)
    if not found.all():
        raise MissingVectors(store, int((~found).sum()))
    return vectors


def further_keys(vectors: pa.Table) -> dict[str, list[dict[str, str]]]:
    """Returns the further keys of rows of the table `vectors`, by id; a text without any is left out."""
    rows = vectors.filter(pc.is_valid(vectors.column("others")))
    return dict(zip(rows.column("id").to_pylist(), rows.column("others").to_pylist(), strict=True))


def seen_by(miner: str, others: pa.Array, store: VectorStore) -> Seen:
    """Returns what one encoder has of the texts whose further keys are given (`FURTHER`); raises MissingVectors."""
    names, keys = others.flatten().flatten()
    chosen = pc.equal(names, miner)
    rows = np.asarray(pc.list_parent_indices(others).filter(chosen), np.int64)
    return Seen(rows, vectors_of(store, keys.filter(chosen).to_pylist()))


def write_further(shard: str, others: pa.ChunkedArray, stores: Mapping[str, VectorStore]) -> None:
    """Writes each further encoder's vectors of a shard into a file beside it; raises MissingVectors."""
    keys = others.combine_chunks()
    keys = keys.chunk(0) if isinstance(keys, pa.ChunkedArray) and keys.num_chunks else keys
    for miner, store in stores.items():
        seen = seen_by(miner, keys, store)
        block = np.ascontiguousarray(seen.vectors.astype("<f2"))
        column = pa.Array.from_buffers(pa.binary(2 * block.shape[1]), len(block), [None, pa.py_buffer(block)])
        with files.open_write(_path(shard, miner)) as file:
            pq.write_table(
                pa.table({"row": seen.rows, "vector": column}),
                file,
                compression="none",
                use_dictionary=False,
                row_group_size=max(1, len(block)),
            )


def read_further(shard: str, miner: str) -> Seen:
    """Returns what an encoder has of a shard."""
    with files.open_read(_path(shard, miner)) as file, pq.ParquetFile(file) as parquet:
        table = parquet.read().combine_chunks()
    width = table.schema.field("vector").type.byte_width
    column = table.column("vector")
    column = column.chunk(0) if column.num_chunks else column.combine_chunks()
    values = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width : (column.offset + len(column)) * width]
    # A copy, as torch takes no memory that it may not write.
    return Seen(np.asarray(table.column("row"), np.int64), values.copy().view("<f2").reshape(-1, width // 2))


def further_shards(parts: Iterator[tuple[str, Int64]], miner: str) -> Iterator[tuple[str, Int64, Seen]]:
    """Yields (file, order of the seen rows, what the encoder has of it) of each shard that it has something of."""
    for path, order in parts:
        seen = read_further(path, miner)
        if len(seen.rows):
            yield path, order[seen.rows], seen


def _path(shard: str, miner: str) -> str:
    return f"{shard.removesuffix('.parquet')}.{miner}.vectors.parquet"
