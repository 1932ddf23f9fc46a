"""Vectors of the queries of a block, in a file beside its rows, and the near queries of every two blocks."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files
from oreline.embeddings.store import VectorStore
from oreline.filters.leaders import EDGES
from oreline.filters.places import id_at
from oreline.job import Job
from oreline.search.corpus import vector_keys
from oreline.search.scores import Float16
from oreline.selection.aside import Piece, read_rows
from oreline.selection.near_queries import Near, distinct, near_pairs
from oreline.tables.reading import open_parquet


def with_vectors(job: Job, store: VectorStore, block: Piece) -> tuple[Piece, int]:
    """Writes a block's places and vectors, sorted by place; returns the block, and how many vectors the store lacks.

    A query that embed has no row for has no vector, and is near none.
    """
    places = sorted(cast("list[str]", read_rows(block, ["place"]).column("place").to_pylist()))
    keys = vector_keys(job, (id_at(place) for place in places), "query")
    places = [place for place in places if id_at(place) in keys]
    vectors, found = store.lookup([keys[id_at(place)] for place in places])
    return write_vectors(job, block, pa.array(places, pa.string()), vectors), int((~found).sum())


def write_vectors(job: Job, block: Piece, places: pa.Array, vectors: Float16) -> Piece:
    """Writes the places of a block, sorted, and their vectors (places x dimension); returns the block with the path."""
    little = np.ascontiguousarray(vectors.astype("<f2"))
    column = pa.Array.from_buffers(pa.binary(2 * little.shape[1]), len(places), [None, pa.py_buffer(little)])
    path = job.scratch("query-vectors") + ".parquet"
    with files.open_write(path) as file:
        table = pa.table({"place": places, "vector": column})
        pq.write_table(table, file, compression="none", use_dictionary=False)
    return replace(block, vectors=path)


def pairs_of_blocks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields every two blocks of a scope, and each with itself, as JSON [one, other]."""
    listed = sorted(each.decode() for each in blocks)
    for number, one in enumerate(listed):
        for other in listed[number:]:
            yield json.dumps([one, other]).encode()


def write_edges(job: Job, one: Piece, other: Piece, threshold: float) -> str | None:
    """Writes the near queries of two blocks, or of one if they are the same, as EDGES; returns the path, if any are."""
    edges = _near_edges(one, other, threshold)
    first = next(edges, None)
    if first is None:
        return None
    path = job.scratch("edges") + ".parquet"
    with files.open_write(path) as file, pq.ParquetWriter(file, EDGES, compression="lz4") as writer:
        writer.write_table(first)
        for table in edges:
            writer.write_table(table)
    return path


def _near_edges(one: Piece, other: Piece, threshold: float) -> Iterator[pa.Table]:
    """Yields edges; of equal vectors of a block only the first is compared with others."""
    places, vectors = _read_vectors(one)
    if one == other:
        equal = _equal_edges(places, vectors)
        if equal.num_rows:
            yield equal
    left = _distinct(places, vectors)
    right = left if one == other else _distinct(*_read_vectors(other))
    for near in near_pairs(left[1], None if one == other else right[1], threshold):
        yield _edges(left[0], right[0], near)


def _read_vectors(block: Piece) -> tuple[pa.Array, Float16]:
    with open_parquet(block.vectors) as parquet:
        table = parquet.read().combine_chunks()
    column = table.column("vector").combine_chunks()
    width = column.type.byte_width
    values = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width : (column.offset + len(column)) * width]
    # A copy, as torch takes no memory that it may not write.
    return table.column("place").combine_chunks(), values.copy().view("<f2").reshape(len(column), width // 2)


def _distinct(places: pa.Array, vectors: Float16) -> tuple[pa.Array, Float16]:
    firsts = distinct(vectors).firsts
    return places.take(pa.array(firsts)), vectors[firsts]


def _equal_edges(places: pa.Array, vectors: Float16) -> pa.Table:
    first_of = distinct(vectors).first_of
    others = np.flatnonzero(first_of != np.arange(len(first_of)))
    earlier = places.take(pa.array(first_of[others]))
    columns = [places.take(pa.array(others)), earlier, np.ones(len(others)), np.ones(len(others), bool)]
    return pa.table(columns, schema=EDGES)


def _edges(left: pa.Array, right: pa.Array, near: Near) -> pa.Table:
    one, other = left.take(pa.array(near.one)).to_pylist(), right.take(pa.array(near.other)).to_pylist()
    later = [max(pair) for pair in zip(one, other, strict=True)]
    earlier = [min(pair) for pair in zip(one, other, strict=True)]
    return pa.table([later, earlier, near.cosine, np.zeros(len(later), bool)], schema=EDGES)
