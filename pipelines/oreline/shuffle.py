"""A shuffle by files: rows go to disk grouped by key, and only references to them pass through Beam.

A `Scatter` takes Arrow tables with a key per row, and writes Arrow files with one record batch per key: there may be
hundreds of keys with a few rows each, which Parquet would describe at more length than they have. Its references are
grouped by key with a GroupByKey; `gather` then reads the rows of one key, from however many files.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline import files
from oreline.errors import BrokenTable
from oreline.job import Job

FLUSH_BYTES = 64 * 2**20

# A thread that writes often waits for the interpreter's lock as often.
_WRITE_BYTES = 4 * 2**20

_REPEATS = 8
"""How often each value of a dictionary must stand in a file on average: whoever reads one key reads all of it."""

Reference = tuple[int, bytes]
"""A key, and where some of its rows are: JSON [tag, path, record batch]."""


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
        # One dictionary per column is all that a file can hold; one chunk, of which a slice is one batch.
        rows = _repeating(pa.concat_tables(self._tables).unify_dictionaries().combine_chunks())
        keys = np.concatenate(self._keys)
        self._tables, self._keys, self._bytes = [], [], 0
        if np.any(keys[1:] < keys[:-1]):
            order = np.argsort(keys, kind="stable")
            keys, rows = keys[order], rows.take(pa.array(order))
        starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
        ends = np.append(starts[1:], len(keys))
        path = self._job.scratch(self._tag) + ".arrow"
        # Hashes in bytes cannot be compressed, and where there are some they are most of a row.
        hashes = any(field.type == pa.large_binary() for field in rows.schema)
        options = pa.ipc.IpcWriteOptions(compression=None if hashes else "lz4", use_threads=False)
        with (
            files.open_write(path) as file,
            pa.BufferedOutputStream(pa.PythonFile(file, mode="w"), _WRITE_BYTES) as sink,
            pa.ipc.new_file(sink, rows.schema, options=options) as writer,
        ):
            written = []
            for start, end in zip(starts, ends, strict=True):
                for batch in rows.slice(start, end - start).to_batches():  # several where texts exceed 2 GiB
                    writer.write_batch(batch)
                    written.append(int(keys[start]))
        for place, key in enumerate(written):
            yield key, json.dumps([self._tag, path, place]).encode()


def _repeating(rows: pa.Table) -> pa.Table:
    """Returns rows in which only those columns have a dictionary whose values repeat."""
    for place, field in enumerate(rows.schema):
        column = rows.column(place)
        if pa.types.is_dictionary(field.type) and len(column.chunk(0).dictionary) * _REPEATS > rows.num_rows:
            rows = rows.set_column(place, field.name, column.cast(field.type.value_type))
    return rows


def tag_of(reference: bytes) -> str:
    """Returns what the rows behind a reference are."""
    return str(json.loads(reference)[0])


def gather(references: Iterable[bytes]) -> dict[str, pa.Table]:
    """Returns the rows behind references, by tag; a tag without rows is missing. Their order is not defined."""
    by_file: dict[tuple[str, str], list[int]] = {}
    for reference in references:
        tag, path, place = cast("tuple[str, str, int]", tuple(json.loads(reference)))
        by_file.setdefault((tag, path), []).append(place)
    found: dict[str, list[pa.RecordBatch]] = {}
    for (tag, path), places in sorted(by_file.items()):
        with _opened(path) as file:
            found.setdefault(tag, []).extend(file.get_batch(place) for place in sorted(places))
    return {tag: _table(batches) for tag, batches in found.items()}


def _table(batches: list[pa.RecordBatch]) -> pa.Table:
    """Returns batches as a table; without dictionaries where only some files have one for a column."""
    if any(batch.schema != batches[0].schema for batch in batches):
        batches = [_plain(batch) for batch in batches]
    return pa.Table.from_batches(batches)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


@contextmanager
def _opened(path: str) -> Iterator[pa.RecordBatchFileReader]:
    """Opens a file of a scatter; raises BrokenTable if it is missing or damaged."""
    try:
        # Arrow's own file reads without the interpreter's lock.
        with (
            pa.OSFile(path) if files.is_local(path) else files.open_read(path) as file,
            pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader,
        ):
            yield reader
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise BrokenTable(f"{path}: rows on their way cannot be read ({error}); run the recipe again") from error
