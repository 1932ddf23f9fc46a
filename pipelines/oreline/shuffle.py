"""A shuffle by files: rows go to disk grouped by key, and only references to them pass through Beam.

A `Scatter` takes Arrow tables with a key per row, and writes files with one row group per key. Its references are
grouped by key with a GroupByKey; `gather` then reads the rows of one key, from however many files.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files
from oreline.job import Job
from oreline.tables.reading import open_parquet

FLUSH_BYTES = 64 * 2**20

# A thread that writes often waits for the interpreter's lock as often.
_WRITE_BYTES = 4 * 2**20

Reference = tuple[int, bytes]
"""A key, and where some of its rows are: JSON [tag, path, row group]."""


class Scatter:
    """Writes rows grouped by an integer key into scratch files of a job.

    `tag` names what the rows are, for a gather that takes several kinds apart.
    """

    def __init__(self, job: Job, tag: str) -> None:
        self._job = job
        self._tag = tag
        self._tables: list[pa.Table] = []
        self._keys: list[npt.NDArray[np.int64]] = []
        self._bytes = 0

    def write(self, keys: Sequence[int] | npt.NDArray[np.int64], rows: pa.Table) -> Iterator[Reference]:
        """Takes rows with their keys; yields references once enough is waiting to be written."""
        if rows.num_rows != len(keys):
            raise ValueError(f"{rows.num_rows} rows came with {len(keys)} keys")
        if rows.num_rows == 0:
            return
        self._tables.append(rows)
        self._keys.append(np.asarray(keys, dtype=np.int64))
        self._bytes += rows.nbytes
        if self._bytes >= FLUSH_BYTES:
            yield from self.close()

    def close(self) -> Iterator[Reference]:
        """Writes what is waiting and yields its references."""
        if not self._tables:
            return
        rows = pa.concat_tables(self._tables)
        keys = np.concatenate(self._keys)
        self._tables, self._keys, self._bytes = [], [], 0
        if np.any(keys[1:] < keys[:-1]):
            order = np.argsort(keys, kind="stable")
            keys, rows = keys[order], rows.take(pa.array(order))
        starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
        ends = np.append(starts[1:], len(keys))
        path = self._job.scratch(self._tag) + ".parquet"
        # What is shuffled are hashes, numbers and texts: a dictionary of them would be given up half-way.
        # Hashes in bytes cannot be compressed at all.
        hashes = {field.name for field in rows.schema if field.type == pa.large_binary()}
        compression = {name: "none" if name in hashes else "lz4" for name in rows.schema.names} if hashes else "lz4"
        with (
            files.open_write(path) as file,
            pa.BufferedOutputStream(pa.PythonFile(file, mode="w"), _WRITE_BYTES) as sink,
            pq.ParquetWriter(
                sink, rows.schema, compression=compression, use_dictionary=False, write_statistics=False
            ) as writer,
        ):
            for start, end in zip(starts, ends, strict=True):
                writer.write_table(rows.slice(start, end - start), row_group_size=int(end - start))
        for group, start in enumerate(starts):
            yield int(keys[start]), json.dumps([self._tag, path, group]).encode()


def tag_of(reference: bytes) -> str:
    """Returns what the rows behind a reference are."""
    return str(json.loads(reference)[0])


def gather(references: Iterable[bytes]) -> dict[str, pa.Table]:
    """Returns the rows behind references, by tag; a tag without rows is missing. Their order is not defined."""
    by_file: dict[tuple[str, str], list[int]] = {}
    for reference in references:
        tag, path, group = cast("tuple[str, str, int]", tuple(json.loads(reference)))
        by_file.setdefault((tag, path), []).append(group)
    found: dict[str, list[pa.Table]] = {}
    for (tag, path), groups in sorted(by_file.items()):
        with open_parquet(path, _footer(path)) as parquet:
            found.setdefault(tag, []).append(parquet.read_row_groups(sorted(groups)))
    return {tag: pa.concat_tables(tables) for tag, tables in found.items()}


@lru_cache(maxsize=32)
def _footer(path: str) -> pq.FileMetaData:
    """Returns a file's footer, kept for the next key: with a row group per key it is long, and never changes."""
    with open_parquet(path) as parquet:
        return parquet.metadata
