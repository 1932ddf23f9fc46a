"""Content digests: what a table holds, whatever the order of its rows and however it is cut into parts.

A row's canonical encoding is the concatenation of its columns' encodings, in schema order. Each starts with its
validity (one byte a value); fixed-width values follow as little-endian bytes with zeros for nulls; strings and lists
as int64 lengths and their contents; structs as their children. The digest of a table is the sum, modulo 2**128, of
blake2b-128 over its rows. It is computed from Arrow's buffers, by block, so no Python object is made per value.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MODULUS = 1 << 128

_Slice = Callable[[int, int], bytes]


def table_digest(table: pa.Table) -> int:
    """Returns the digest of an Arrow table, 0 to 2**128 - 1; an empty table has 0."""
    total = 0
    for batch in table.combine_chunks().to_batches():
        slices = [_column_slices(batch.column(place)) for place in range(batch.num_columns)]
        for row in range(batch.num_rows):
            state = hashlib.blake2b(digest_size=16)
            for encode in slices:
                state.update(encode(row, row + 1))
            total += int.from_bytes(state.digest(), "big")
    return total % MODULUS


def _column_slices(column: pa.Array) -> _Slice:
    """Returns a function that gives the canonical bytes of a column's values `start` to `stop`."""
    valid = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=np.uint8)
    kind = column.type
    if pa.types.is_struct(kind):
        return _struct_slices(column, valid)
    if pa.types.is_list(kind):
        return _list_slices(column, valid)
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        return _string_slices(column, valid)
    return _fixed_slices(column, valid)


def _struct_slices(column: pa.Array, valid: npt.NDArray[np.uint8]) -> _Slice:
    children = [_column_slices(child) for child in column.flatten()]

    def encode(start: int, stop: int) -> bytes:
        return b"".join([valid[start:stop].tobytes(), *(child(start, stop) for child in children)])

    return encode


def _list_slices(column: pa.Array, valid: npt.NDArray[np.uint8]) -> _Slice:
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False), dtype="<i8")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    child = _column_slices(column.flatten())

    def encode(start: int, stop: int) -> bytes:
        contents = child(int(ends[start]), int(ends[stop]))
        return b"".join([valid[start:stop].tobytes(), lengths[start:stop].tobytes(), contents])

    return encode


def _string_slices(column: pa.Array, valid: npt.NDArray[np.uint8]) -> _Slice:
    filled = column.cast(pa.large_binary()).fill_null(b"")
    lengths = np.asarray(pc.binary_length(filled).to_numpy(zero_copy_only=False), dtype="<i8")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    data_buffer = filled.buffers()[2]
    first = int(np.frombuffer(filled.buffers()[1], dtype=np.int64)[filled.offset]) if len(filled) else 0
    data = memoryview(data_buffer)[first:] if data_buffer is not None else memoryview(b"")

    def encode(start: int, stop: int) -> bytes:
        contents = data[int(ends[start]) : int(ends[stop])]
        return b"".join([valid[start:stop].tobytes(), lengths[start:stop].tobytes(), contents])

    return encode


def _fixed_slices(column: pa.Array, valid: npt.NDArray[np.uint8]) -> _Slice:
    if pa.types.is_boolean(column.type):
        values = np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.uint8)
    else:
        values = np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False))
        values = values.astype(values.dtype.newbyteorder("<"))

    def encode(start: int, stop: int) -> bytes:
        return b"".join([valid[start:stop].tobytes(), values[start:stop].tobytes()])

    return encode
