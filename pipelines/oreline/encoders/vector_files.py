"""Vectors from files: Parquet with the columns id and vector, or a .npy with the ids in a .txt beside it.

The files are found by id, so what makes a vector's key is its side and id, and nothing of the text.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from oreline.encoders.hashing import file_sha256
from oreline.encoders.identity import EncoderIdentity, cut_dimension
from oreline.encoders.protocol import Float16, Flush
from oreline.encoders.units import unit_float16
from oreline.errors import CallError
from oreline.ids import Json, sha256_json
from oreline.llm.stopping import Stop
from oreline.recipe.settings import Encoder
from oreline.records import Side

_CHUNK_ROWS = 16_384
_BATCH = 4_096
_KINDS: dict[Side, str] = {"document": "document_vectors", "query": "query_vectors"}

_Rows = tuple[list[str], npt.NDArray[np.floating]]


def files_identity(settings: Encoder) -> tuple[str, int]:
    """Returns (digest, dimension): sha256 over the contents of all files, by side, and the dimension.

    Raises CallError if a file is not there, is of another kind, or its vectors are shorter than `encoder.dimension`.
    """
    listed = [(side, path) for side in _KINDS for path in _paths(settings, side)]
    lengths = {path: _length(settings, side, path) for side, path in listed}
    shortest = min(lengths, key=lambda path: lengths[path])
    if lengths[shortest] < 1:
        raise CallError(f"encoder: the vectors of {shortest} have no numbers")
    longest = max(lengths, key=lambda path: lengths[path])
    if settings.dimension is None and lengths[shortest] != lengths[longest]:
        raise CallError(
            f"encoder: the vectors of {shortest} have {lengths[shortest]} numbers, those of {longest} "
            f"{lengths[longest]}; they are to be of one model, and equally long"
        )
    dimension = cut_dimension(settings, lengths[shortest])
    contents: list[Json] = [[side, *(file_sha256(each) for each in _with_ids(path))] for side, path in listed]
    body: dict[str, Json] = {"vector_files": contents, "dimension": dimension}
    return sha256_json(body), dimension


@dataclass(frozen=True)
class _Found:
    """Where a vector is: its place among all, and its file and row, from 0, for messages."""

    place: int
    path: str
    row: int


class FileEncoder:
    """Vectors of files, by id. The files are read once, when the first vector is wanted, into a temporary file.

    What is wrong with a file as a whole ends the work; an id that it lacks is a text without a vector.
    """

    facts: Mapping[str, str] = {}
    flush = Flush()

    def __init__(self, identity: EncoderIdentity, settings: Encoder) -> None:
        self.identity = identity
        self.refused: dict[str, str] = {}
        self.stopped: Stop | None = None
        self._settings = settings
        self._found: dict[str, _Found] | None = None
        self._vectors: Float16 = np.zeros((0, identity.dimension), np.float16)

    def encode(
        self, texts: Sequence[str], keys: Sequence[str], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[list[int], Float16]]:
        """Yields (places, vectors); see `TextEncoder`. The texts are side and id (see `rendering`)."""
        if self._found is None and self.stopped is None:
            try:
                self._found = self._read()
            except (CallError, OSError, ValueError) as error:  # the last: files that are torn, or no text
                self.stopped = Stop(str(error), failure="vectors")
        for start in range(0, len(texts), _BATCH):
            if self._found is None or stop():
                return
            places = list(range(start, min(start + _BATCH, len(texts))))
            rows = np.full((len(places), self.identity.dimension), np.nan, np.float16)
            for row, place in enumerate(places):
                rows[row] = self._vector(self._found, texts[place], keys[place])
            yield places, rows

    def _vector(self, known: Mapping[str, _Found], name: str, key: str) -> Float16:
        """Returns a vector, NaN where there is none or it has no direction; then the reason is kept."""
        found = known.get(name)
        if found is None:
            side, _, own_id = name.partition(" ")
            self.refused[key] = f"encoder.{_KINDS[cast('Side', side)]} has no vector for the id {own_id}"
            return np.full(self.identity.dimension, np.nan, np.float16)
        vector: Float16 = self._vectors[found.place]
        if not np.isfinite(vector).all():
            self.refused[key] = f"its vector in {found.path}, row {found.row + 1:,}, is zero or not finite"
        return vector

    def _read(self) -> dict[str, _Found]:
        """Writes all vectors, cut and of length 1, into a file without a name, and returns where each is."""
        dimension = self.identity.dimension
        found: dict[str, _Found] = {}
        twice: list[tuple[str, _Found, int]] = []
        count = 0
        with TemporaryFile() as file:
            for side in _KINDS:
                for path in _paths(self._settings, side):
                    begun = count
                    for ids, vectors in _rows(self._settings, side, path):
                        file.write(np.ascontiguousarray(unit_float16(vectors, dimension)).tobytes())
                        for each in ids:
                            name = f"{side} {each}"
                            before = found.setdefault(name, _Found(count, path, count - begun))
                            if before.place != count:
                                twice.append((name, _Found(count, path, count - begun), before.place))
                            count += 1
            file.flush()
            if count:
                self._vectors = np.memmap(file, np.float16, "r", shape=(count, dimension))
        for name, again, first in twice:
            if not np.array_equal(self._vectors[first], self._vectors[again.place], equal_nan=True):
                other = found[name]
                raise CallError(
                    f"encoder: the id {name.partition(' ')[2]} has two vectors, in {other.path}, row "
                    f"{other.row + 1:,}, and in {again.path}, row {again.row + 1:,}; keep one of them"
                )
        return found


def _paths(settings: Encoder, side: Side) -> list[str]:
    return settings.document_vectors if side == "document" else settings.query_vectors


def _with_ids(path: str) -> list[str]:
    """Returns a file of vectors with that of its ids, if it has one."""
    return [path, _ids_path(path)] if path.endswith(".npy") else [path]


def _ids_path(path: str) -> str:
    return path.removesuffix(".npy") + ".txt"


def _length(settings: Encoder, side: Side, path: str) -> int:
    """Returns how many numbers a vector of a file has; looks at no vector but the first."""
    key = f"encoder.{_KINDS[side]}"
    for each in _with_ids(path):
        if not os.path.isfile(each):
            what = f", which holds the ids of {path}, one per line" if each != path else ""
            raise CallError(f"{key}: there is no file {each}{what}")
    try:
        if path.endswith(".npy"):
            return int(_array(key, path).shape[1])
        if path.endswith(".parquet"):
            return _parquet_length(settings, key, path)
    except (ValueError, OSError) as error:
        raise CallError(f"{key}: {path} cannot be read ({error})") from None
    raise CallError(f"{key}: {path} is neither .parquet nor .npy; write the vectors as one of the two")


def _array(key: str, path: str) -> npt.NDArray[np.floating]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
        raise CallError(f"{key}: {path} holds {array.dtype} of shape {array.shape}, expected floats, rows x dimension")
    return cast("npt.NDArray[np.floating]", array)


def _parquet_length(settings: Encoder, key: str, path: str) -> int:
    with pq.ParquetFile(path) as parquet:
        names = parquet.schema_arrow.names
        if not {"id", "vector"} <= set(names):
            raise CallError(f"{key}: {path} has the columns {', '.join(names)}, expected id and vector")
        ids, kind = (parquet.schema_arrow.field(name).type for name in ("id", "vector"))
        if not _is_text(ids):
            raise CallError(f"{key}: the column id of {path} is {ids}, expected strings: ids are <dataset>/<own id>")
        if pa.types.is_fixed_size_binary(kind):
            length, rest = divmod(int(kind.byte_width), _bytes_per_number(settings, kind))
            if rest:
                raise CallError(f"{key}: the vectors of {path} have {kind.byte_width} bytes, which are no float16")
            return length
        fixed = pa.types.is_fixed_size_list(kind)
        if not (fixed or pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not _is_number(kind.value_type):
            raise CallError(f"{key}: the column vector of {path} is {kind}, expected a list of floats or fixed binary")
        if fixed:
            return int(kind.list_size)
        for batch in parquet.iter_batches(_CHUNK_ROWS, columns=["vector"]):
            if len(given := batch.column(0).drop_null()):
                return int(given.value_lengths()[0].as_py())
        raise CallError(f"{key}: {path} holds no vector")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _is_text(kind: pa.DataType) -> bool:
    own = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(own) or pa.types.is_large_string(own) or pa.types.is_string_view(own))


def _bytes_per_number(settings: Encoder, kind: pa.DataType) -> int:
    """Returns 4 where `encoder.dimension` says that fixed binary holds float32, else 2, float16, as the store has."""
    return 4 if settings.dimension is not None and settings.dimension * 4 == kind.byte_width else 2


def _rows(settings: Encoder, side: Side, path: str) -> Iterator[_Rows]:
    """Yields ids with their vectors, some thousand at a time; raises CallError for rows of another shape."""
    key = f"encoder.{_KINDS[side]}"
    if path.endswith(".npy"):
        array = _array(key, path)
        with open(_ids_path(path), encoding="utf-8") as file:
            ids = [line.removesuffix("\n") for line in file]
        if len(ids) != len(array):
            raise CallError(f"{key}: {path} has {len(array):,} rows, but {_ids_path(path)} {len(ids):,} ids")
        for start in range(0, len(ids), _CHUNK_ROWS):
            yield ids[start : start + _CHUNK_ROWS], np.asarray(array[start : start + _CHUNK_ROWS])
        return
    done = 0
    with pq.ParquetFile(path) as parquet:
        length = _parquet_length(settings, key, path)
        for batch in parquet.iter_batches(_CHUNK_ROWS, columns=["id", "vector"]):
            ids = batch.column("id").to_pylist()
            if None in ids:
                raise CallError(f"{key}: {path}, row {done + ids.index(None) + 1:,}, has no id")
            yield ids, _numbers(settings, batch.column("vector"), length, f"{key}: {path}", done)
            done += len(batch)


def _numbers(settings: Encoder, column: pa.Array, length: int, where: str, before: int) -> npt.NDArray[np.floating]:
    """Returns a column as rows x length; a null is a row of NaN. There are `before` rows before it in the file."""
    present = np.asarray(column.is_valid())
    rows = np.full((len(column), length), np.nan, np.float32)
    given = column.drop_null()
    if pa.types.is_fixed_size_binary(column.type):
        kind = "<f4" if _bytes_per_number(settings, column.type) == 4 else "<f2"
        rows[present] = np.frombuffer(b"".join(given.to_pylist()), kind).reshape(len(given), -1)
        return rows
    if not pa.types.is_fixed_size_list(column.type):
        lengths = np.asarray(column.value_lengths().fill_null(length))
        if (other := np.flatnonzero(lengths != length)).size:
            row = int(other[0])
            raise CallError(f"{where}, row {before + row + 1:,}, has {lengths[row]} numbers, the first vector {length}")
    flat = given.flatten().cast(pa.float32()).fill_null(float("nan"))
    rows[present] = np.asarray(flat).reshape(len(given), length)
    return rows
