"""The embedding store: unit vectors by content, in complete files per range of keys.

`<cache>/vectors/<encoder identity>/<first byte of the range, 2 hex>/<uuid>.parquet`, columns `key` (32 bytes) and
`vector` (float16, little-endian, as FixedSizeBinary). A key is sha256(identity, exact rendered string), so a new
checkpoint, prefix or title never meets an old vector. A file covers one of `buckets` equal ranges of keys; their
number (a power of two up to 256) may differ from file to file. Any complete file is valid; others are left out and
named.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.ids import Json

Float16 = npt.NDArray[np.float16]

_LOG = logging.getLogger(__name__)
ABOUT = "encoder.json"
"""Says beside the vectors, in words, which encoder they are of; nothing is read from it but by those who look."""

_ROWS_PER_BUCKET = 1_024
_MOST_BUCKETS = 256


def vector_key(identity: str, rendered: str) -> str:
    """Returns the key of a rendered text: sha256 over the identity's digest and the string, 64 hexadecimal digits."""
    return hashlib.sha256(bytes.fromhex(identity) + rendered.encode("utf-8")).hexdigest()


def bucket_count(rows: int, per_bucket: int = _ROWS_PER_BUCKET) -> int:
    """Returns how many ranges the keys of `rows` texts are cut into: a power of two up to 256.

    A range gets at most about `per_bucket` rows, and more than half of that, as far as 256 ranges go.
    """
    buckets = 1
    while buckets < _MOST_BUCKETS and buckets * per_bucket < rows:
        buckets *= 2
    return buckets


def bucket_of_key(key: str, buckets: int) -> int:
    """Returns the range, 0 to `buckets` - 1, that a key falls into."""
    return int(key[:2], 16) * buckets >> 8


class VectorStore:
    """The vectors of one encoder in one cache, below `folder`; `damaged` names the files that could not be read."""

    def __init__(self, cache: str, identity: str, dimension: int, about: Mapping[str, Json] | None = None) -> None:
        self.folder = files.join(cache, "vectors", identity)
        self._dimension = dimension
        self._about = about
        self.damaged: list[str] = []

    def write(self, bucket: int, buckets: int, keys: Sequence[str], vectors: Float16) -> str:
        """Writes a complete file of vectors (rows x dimension) whose keys all fall into one range; returns its path.

        Raises ValueError for a key of another range, a wrong shape, or a vector that is not finite.
        """
        if vectors.shape != (len(keys), self._dimension) or not np.isfinite(vectors).all():
            raise ValueError(f"{len(keys)} keys came with vectors of shape {vectors.shape}, or some are not finite")
        if any(bucket_of_key(key, buckets) != bucket for key in keys):
            raise ValueError(f"a key lies outside bucket {bucket} of {buckets}")
        width = 2 * self._dimension
        little = np.ascontiguousarray(vectors.astype("<f2"))
        table = pa.table(
            {
                "key": pa.array([bytes.fromhex(key) for key in keys], pa.binary(32)),
                "vector": pa.Array.from_buffers(pa.binary(width), len(keys), [None, pa.py_buffer(little)]),
            }
        )
        sink = pa.BufferOutputStream()
        pq.write_table(
            table, sink, compression="none", use_dictionary=False, write_page_checksum=True, row_group_size=16_384
        )
        first = bucket * (_MOST_BUCKETS // buckets)
        path = files.join(self.folder, f"{first:02x}", f"{uuid.uuid4().hex}.parquet")
        self._say_whose()
        files.write_atomically(path, sink.getvalue().to_pybytes())
        return path

    def _say_whose(self) -> None:
        """Writes beside the first vectors which encoder they are of, for those who look."""
        path = files.join(self.folder, ABOUT)
        if self._about is not None and not files.exists(path):
            files.write_atomically(path, json.dumps(self._about, indent=2).encode())
        self._about = None

    def present(self, keys: Collection[str]) -> set[str]:
        """Returns those of `keys` that have a vector."""
        wanted = _binary(keys)
        found: set[str] = set()
        for path in self._paths(keys):
            for group in self._groups(path, ["key"]):
                hits = group.filter(pc.is_in(group.column("key"), wanted)).column("key").to_pylist()
                found.update(cast("bytes", key).hex() for key in hits)
        return found

    def lookup(self, keys: Sequence[str]) -> tuple[Float16, npt.NDArray[np.bool_]]:
        """Returns (vectors, found): float16, len(keys) x dimension, rows of zeros where `found` is False.

        Where several files hold a key, the one with the smallest path counts, so that every reader sees one vector.
        """
        asked = pa.array([bytes.fromhex(key) for key in keys], pa.binary(32))
        unique = asked.unique()
        vectors = np.zeros((len(unique), self._dimension), np.float16)
        found = np.zeros(len(unique), np.bool_)
        for path in self._paths(keys):
            if found.all():
                break
            for group in self._groups(path, ["key", "vector"]):
                places = np.asarray(pc.fill_null(pc.index_in(group.column("key"), value_set=unique), -1), np.int64)
                rows = np.flatnonzero(places >= 0)
                # Backwards, as of rows with one key the first counts, and the last that is written stays.
                rows = rows[~found[places[rows]]][::-1]
                if len(rows):
                    vectors[places[rows]] = self._as_floats(group.column("vector"))[rows]
                    found[places[rows]] = True
        of_each = np.asarray(pc.index_in(asked, value_set=unique), np.int64)
        return vectors[of_each], found[of_each]

    def _as_floats(self, column: pa.ChunkedArray) -> Float16:
        """Returns a column of vectors as rows x dimension."""
        blocks = [
            np.frombuffer(chunk.buffers()[1], np.uint8)[
                chunk.offset * 2 * self._dimension : (chunk.offset + len(chunk)) * 2 * self._dimension
            ]
            .view("<f2")
            .reshape(-1, self._dimension)
            for chunk in column.chunks
            if len(chunk)
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, self._dimension), np.float16)

    def _paths(self, keys: Iterable[str]) -> list[str]:
        """Returns the files whose range may hold some of the keys, sorted."""
        bytes_wanted = {int(key[:2], 16) for key in keys}
        starts = {first & ~((1 << shift) - 1) for first in bytes_wanted for shift in range(9)}
        folders = (files.join(self.folder, f"{start:02x}") for start in sorted(starts))
        return [each.path for folder in folders for each in files.walk(folder) if each.path.endswith(".parquet")]

    def _groups(self, path: str, columns: list[str]) -> Iterator[pa.Table]:
        try:
            with files.open_read(path) as file, pq.ParquetFile(file, page_checksum_verification=True) as parquet:
                _check_width(parquet, self._dimension)
                for index in range(parquet.num_row_groups):
                    yield parquet.read_row_group(index, columns=columns)
        except FileNotFoundError:
            return  # merged meanwhile: by a worker on its own range, of which nobody else reads a key
        except (pa.ArrowInvalid, KeyError, OSError) as error:
            if path not in self.damaged:
                self.damaged.append(path)
                _LOG.warning("%s is not a complete file of vectors (%s); its texts are encoded again", path, error)


def _check_width(parquet: pq.ParquetFile, dimension: int) -> None:
    if parquet.schema_arrow.field("vector").type != pa.binary(2 * dimension):
        raise pa.ArrowInvalid(f"its vectors do not have {dimension} dimensions")


def _binary(keys: Iterable[str]) -> pa.Array:
    return pa.array(sorted(bytes.fromhex(key) for key in keys), pa.binary(32))
