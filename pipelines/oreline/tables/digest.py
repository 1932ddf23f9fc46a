"""Content digests: what a table holds, whatever the order of its rows and however it is cut into parts.

A row's canonical encoding is the concatenation of its columns' encodings, in schema order. Each starts with its
validity (one byte a value); fixed-width values follow as little-endian bytes with zeros for nulls; strings and lists
as int64 lengths and their contents; structs as their children. The digest of a table is the sum, modulo 2**128, of
blake2b-128 over its rows. It is computed from Arrow's buffers, by block, so no Python object is made per value.
"""

import hashlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MODULUS = 1 << 128

_Slice = Callable[[int, int], bytes]
_BLOCK_ROWS = 8_192
_Matrix = npt.NDArray[np.uint8]
_STRINGS = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())


def table_digest(table: pa.Table) -> int:
    """Returns the digest of an Arrow table, 0 to 2**128 - 1; an empty table has 0."""
    total = 0
    for batch in table.combine_chunks().to_batches():
        for start in range(0, batch.num_rows, _BLOCK_ROWS):
            total += _rows_digest(batch.slice(start, _BLOCK_ROWS))
    return total % MODULUS


def _rows_digest(batch: pa.RecordBatch) -> int:
    """Returns the sum of the rows' hashes; Arrow joins the canonical bytes of all rows at once."""
    joined = pc.binary_join_element_wise(*_row_pieces(batch), pa.scalar(b"", pa.large_binary()))
    ends = np.frombuffer(joined.buffers()[1], np.int64)[joined.offset :].tolist()
    data = memoryview(joined.buffers()[2])
    hashes = [hashlib.blake2b(data[start:end], digest_size=16).digest() for start, end in pairwise(ends)]
    words = np.frombuffer(b"".join(hashes), ">u4").reshape(-1, 4).sum(axis=0, dtype=np.uint64)
    return sum(int(word) << shift for word, shift in zip(words, (96, 64, 32, 0), strict=True))


def _row_pieces(batch: pa.RecordBatch) -> list[pa.Array]:
    """Returns what a row's canonical bytes are joined from, as binaries.

    What has one width in all rows stands in one matrix until something of varying length comes: so most of a row's
    columns, and all that is null, are one piece.
    """
    pieces: list[pa.Array] = []
    fixed: list[_Matrix] = []
    for place in range(batch.num_columns):
        fixed = _add_column(batch.column(place), pieces, fixed)
    return [*pieces, *_joined(fixed)]


def _add_column(column: pa.Array, pieces: list[pa.Array], fixed: list[_Matrix]) -> list[_Matrix]:
    """Adds a column to the pieces; takes and returns the matrices that nothing of varying length has followed yet."""
    rows = len(column)
    if pa.types.is_struct(column.type):
        fixed = [*fixed, _valid(column)[:, None]]
        for child in column.flatten():
            fixed = _add_column(child, pieces, fixed)
        return fixed
    if pa.types.is_list(column.type) and _all_of_one(column):  # as its item after validity and length
        length = np.full((rows, 1), 1, dtype="<i8").view(np.uint8)
        return _add_column(column.flatten(), pieces, [*fixed, _valid(column)[:, None], length])
    if pa.types.is_nested(column.type):
        encode = _column_slices(column)
        contents = pa.array([encode(row, row + 1) for row in range(rows)], pa.large_binary())
    else:
        fixed = [*fixed, _valid(column)[:, None]]
        if column.type not in _STRINGS:
            return [*fixed, _fixed(column).view(np.uint8).reshape(rows, -1)]
        contents = column.cast(pa.large_binary()).fill_null(b"")
        lengths = np.asarray(pc.binary_length(contents).to_numpy(zero_copy_only=False), dtype="<i8")
        fixed.append(lengths.view(np.uint8).reshape(rows, 8))
        if not lengths.any():
            return fixed
    pieces += [*_joined(fixed), contents]
    return []


def _all_of_one(column: pa.ListArray) -> bool:
    """Says whether all of a column's lists are there, each with one item."""
    return column.null_count == 0 and pc.all(pc.equal(pc.list_value_length(column), 1)).as_py() is True


def _joined(matrices: list[_Matrix]) -> list[pa.Array]:
    if not matrices:
        return []
    rows, width = (matrix := np.ascontiguousarray(np.concatenate(matrices, axis=1))).shape
    offsets = pa.py_buffer(np.arange(rows + 1, dtype=np.int64) * width)
    return [pa.Array.from_buffers(pa.large_binary(), rows, [None, offsets, pa.py_buffer(matrix)])]


def _column_slices(column: pa.Array) -> _Slice:
    """Returns a function that gives the canonical bytes of a column's values `start` to `stop`."""
    valid = _valid(column)
    kind = column.type
    if pa.types.is_struct(kind):
        return _struct_slices(column, valid)
    if pa.types.is_list(kind):
        return _list_slices(column, valid)
    if kind in _STRINGS:
        return _string_slices(column, valid)
    return _fixed_slices(column, valid)


def _valid(column: pa.Array) -> npt.NDArray[np.uint8]:
    return np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=np.uint8)


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
    values = _fixed(column)

    def encode(start: int, stop: int) -> bytes:
        return b"".join([valid[start:stop].tobytes(), values[start:stop].tobytes()])

    return encode


def _fixed(column: pa.Array) -> npt.NDArray[np.generic]:
    """Returns the little-endian values of a column of numbers or truth values, zero for a null."""
    if pa.types.is_boolean(column.type):
        return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.uint8)
    values = np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False))
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
