"""Parts: the Parquet files of a table, and the writer that makes and describes them."""

import hashlib
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, Self, cast

import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files
from oreline.ids import Json, Tally
from oreline.records import ID_COLUMN
from oreline.tables.digest import MODULUS, table_digest
from oreline.tables.schema import table_schema

ROLL_BYTES = 256 * 2**20
"""A part is closed once it holds this many bytes."""

_WRITE_BYTES = 4 * 2**20

ROW_GROUP_ROWS = 32_768
ROW_GROUP_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Part:
    """What a manifest says of one Parquet file.

    `path` is relative to the output. `digest` is the content digest (see `tables.digest`), `ids` the tally of the
    table's id column, `kinds` the number of rows per reason (rejects) or per fate (fates).
    """

    table: str
    path: str
    rows: int
    size: int
    sha256: str
    digest: int
    ids: Tally
    kinds: dict[str, int] = field(default_factory=dict)
    kind_ids: dict[str, Tally] = field(default_factory=dict)

    def to_json(self) -> Json:
        """Returns the part as a manifest holds it."""
        return {
            "table": self.table,
            "path": self.path,
            "rows": self.rows,
            "bytes": self.size,
            "sha256": self.sha256,
            "digest": f"{self.digest:032x}",
            "ids": self.ids.to_json(),
            "kinds": dict(self.kinds),
            "kind_ids": {kind: tally.to_json() for kind, tally in self.kind_ids.items()},
        }

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Reads what `to_json` wrote; raises ValueError, KeyError or TypeError for anything else."""
        entry = cast("dict[str, Json]", value)
        return cls(
            table=str(entry["table"]),
            path=str(entry["path"]),
            rows=int(cast("int", entry["rows"])),
            size=int(cast("int", entry["bytes"])),
            sha256=str(entry["sha256"]),
            digest=int(str(entry["digest"]), 16),
            ids=Tally.from_json(entry["ids"]),
            kinds=cast("dict[str, int]", entry["kinds"]),
            kind_ids={
                kind: Tally.from_json(tally) for kind, tally in cast("dict[str, Json]", entry["kind_ids"]).items()
            },
        )


class PartWriter:
    """Writes Arrow tables into parts of one table, rolled at about `ROLL_BYTES`.

    A part counts only once a manifest lists it, so its name is made here and it is written in place. A bundle that
    runs twice leaves files that nobody lists; the driver deletes them.
    """

    def __init__(self, output: str, stage: str, table: str) -> None:
        self._output = output
        self._folder = f"{stage}/{table}"
        self._table = table
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._open: _OpenPart | None = None
        self._done: list[Part] = []

    def write(self, rows: pa.Table) -> None:
        """Takes rows with the table's schema; raises pyarrow.ArrowInvalid if they do not have it."""
        if rows.num_rows == 0:
            return
        self._waiting.append(rows.cast(table_schema(self._table)))
        self._waiting_rows += rows.num_rows
        self._waiting_bytes += rows.nbytes
        if self._waiting_rows >= ROW_GROUP_ROWS or self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> list[Part]:
        """Finishes the open part and returns all parts; none if no row came."""
        self._flush()
        self._roll()
        return self._done

    def _flush(self) -> None:
        if not self._waiting:
            return
        block = pa.concat_tables(self._waiting)
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        if self._open is None:
            path = f"{self._folder}/part-{uuid.uuid4().hex}.parquet"
            self._open = _OpenPart(self._output, path, self._table)
        self._open.write(block)
        if self._open.size >= ROLL_BYTES:
            self._roll()

    def _roll(self) -> None:
        if self._open is not None:
            self._done.append(self._open.close())
            self._open = None


class _OpenPart:
    """One Parquet file being written, with what its manifest entry needs."""

    def __init__(self, output: str, path: str, table: str) -> None:
        self._path = path
        self._table = table
        self._file = HashedFile(files.join(output, path))
        schema = table_schema(table)
        # Hashes in bytes repeat nothing and cannot be compressed: trying costs more than it saves.
        hashes = {field.name for field in schema if field.type == pa.large_binary()}
        # A thread that writes often waits for the interpreter's lock as often.
        self._sink = pa.BufferedOutputStream(pa.PythonFile(self._file, mode="w"), _WRITE_BYTES)
        self._parquet = pq.ParquetWriter(
            self._sink,
            schema,
            compression={name: "none" if name in hashes else "zstd" for name in schema.names},
            use_dictionary=[name for name in schema.names if name not in hashes],
        )
        self._rows = 0
        self._digest = 0
        self._ids = Tally()
        self._kinds: Counter[str] = Counter()
        self._kind_ids: dict[str, Tally] = {}

    @property
    def size(self) -> int:
        return int(self._sink.tell())  # what waits in the buffer included

    def write(self, block: pa.Table) -> None:
        """Writes a block and adds to what the manifest will say of it."""
        self._parquet.write_table(block, row_group_size=2 * ROW_GROUP_ROWS)
        self._rows += block.num_rows
        self._digest = (self._digest + table_digest(block)) % MODULUS
        ids = cast("list[str]", block.column(ID_COLUMN[self._table]).to_pylist())
        self._ids += Tally.of(ids)
        kind = {"rejects": "reason", "fates": "fate"}.get(self._table)
        if kind is not None:
            kinds = cast("list[str]", block.column(kind).to_pylist())
            self._kinds.update(kinds)
            for name in sorted(set(kinds)):
                members = (unit for unit, its_kind in zip(ids, kinds, strict=True) if its_kind == name)
                self._kind_ids[name] = self._kind_ids.get(name, Tally()) + Tally.of(members)

    def close(self) -> Part:
        """Finishes the file and returns its description."""
        self._parquet.close()
        self._sink.close()
        self._file.close()
        return Part(
            table=self._table,
            path=self._path,
            rows=self._rows,
            size=self._file.size,
            sha256=self._file.sha256,
            digest=self._digest,
            ids=self._ids,
            kinds=dict(self._kinds),
            kind_ids=self._kind_ids,
        )


class HashedFile:
    """A new file that counts and hashes what is written; pyarrow writes through it."""

    def __init__(self, path: str) -> None:
        self.closed = False
        self.size = 0
        self._file: BinaryIO = files.open_write(path)
        self._state = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The sha256 of what was written, 64 hexadecimal digits."""
        return self._state.hexdigest()

    def write(self, contents: bytes) -> int:
        """Appends bytes and returns how many."""
        data = bytes(contents)
        self._state.update(data)
        self.size += len(data)
        self._file.write(data)
        return len(data)

    def tell(self) -> int:
        """Returns the number of bytes written."""
        return self.size

    def flush(self) -> None:
        """Nothing to do: the file is complete only once it is closed."""

    def close(self) -> None:
        """Finishes the file; the second time does nothing."""
        if not self.closed:
            self.closed = True
            self._file.close()
