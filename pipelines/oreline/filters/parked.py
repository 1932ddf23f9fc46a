"""Queries and their pairs parked in scratch files, as blocks: what waits for a model, and what it leaves."""

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files
from oreline.filters.judged import JudgedQuery, join, split
from oreline.job import Job


def park(job: Job, queries: Sequence[JudgedQuery]) -> bytes:
    """Writes queries with their pairs into scratch files and returns the block that names them."""
    paths = [job.scratch(name) + ".parquet" for name in ("unasked-queries", "unasked-pairs")]
    _write(paths, queries)
    return json.dumps(paths).encode()


def park_settled(block: bytes, queries: Sequence[JudgedQuery]) -> None:
    """Writes what stays of a block, to be read by `settled_block`."""
    _write(json.loads(settled_block(block)), queries)


def read_parked(block: bytes) -> list[JudgedQuery]:
    """Returns the queries of a block, sorted by id."""
    queries, pairs = (_read(path) for path in json.loads(block))
    return join(queries, pairs)


def settled_block(block: bytes) -> bytes:
    """Returns the block of what stays of a block: the same wherever and however often the block is finished."""
    return json.dumps([f"{path}.settled" for path in json.loads(block)]).encode()


def _write(paths: Sequence[str], queries: Sequence[JudgedQuery]) -> None:
    for path, table in zip(paths, split(queries), strict=True):
        with files.open_write(path) as file:
            pq.write_table(table, file)


def _read(path: str) -> pa.Table:
    with files.open_read(path) as file:
        return pq.read_table(file)
