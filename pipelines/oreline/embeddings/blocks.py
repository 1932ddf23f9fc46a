"""Prepared blocks: the texts of one encoder and one range of keys, on disk, with what its store has not yet.

A block is what one call of the encoder works on. Its reference is a short JSON; the texts never cross an edge. The
missing texts of a block depend on its range alone, so its vectors do not depend on workers or on the input's order.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.embeddings.store import VectorStore
from oreline.embeddings.texts import TEXT_SCHEMA
from oreline.job import Job, StopKind


@dataclass(frozen=True)
class BlockReference:
    """Where a prepared block is, and which encoder (by its miner's name) and range of keys it belongs to.

    `noted` says that there is more to say of it than its vectors: see `Notes`.
    """

    path: str
    encoder: str
    bucket: int
    buckets: int
    noted: bool = False

    def encode(self) -> bytes:
        """Returns the reference as it crosses an edge."""
        return json.dumps([self.path, self.encoder, self.bucket, self.buckets, self.noted]).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "BlockReference":
        """Reads what `encode` wrote."""
        path, encoder, bucket, buckets, noted = json.loads(encoded)
        return cls(path, encoder, bucket, buckets, noted)


@dataclass(frozen=True)
class Notes:
    """What is to be said of an encoded block besides its vectors.

    `refused` says by key why a text has none, where the encoder knows. `facts` is how the encoder computed. `stopped`
    or `failure` says that the work ended before all texts had vectors, and `message` what to do.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    stopped: StopKind | None = None
    failure: str | None = None
    message: str | None = None

    @property
    def ended(self) -> bool:
        """Whether texts of the block were not looked at."""
        return self.stopped is not None or self.failure is not None


INTERRUPTED = Notes(stopped="interrupted", message="interrupted; vectors encoded so far are kept")


def write_notes(reference: BlockReference, notes: Notes) -> BlockReference:
    """Writes notes beside a block, if there is anything in them; returns the reference that says so."""
    if notes == Notes():
        return reference
    files.write_atomically(_notes_path(reference), json.dumps(asdict(notes)).encode())
    return replace(reference, noted=True)


def read_notes(reference: BlockReference) -> Notes:
    """Returns a block's notes."""
    return Notes(**json.loads(files.read_bytes(_notes_path(reference)))) if reference.noted else Notes()


def _notes_path(reference: BlockReference) -> str:
    return reference.path.removesuffix(".parquet") + ".notes.json"


@dataclass(frozen=True)
class Range:
    """A range of an encoder's keys: one of `buckets` equal ones, cut into blocks of about `block_rows` texts."""

    encoder: str
    bucket: int
    buckets: int
    block_rows: int


def prepare(job: Job, store: VectorStore, of: Range, texts: pa.Table) -> Iterator[BlockReference]:
    """Writes the texts of a range (`TEXT_SCHEMA`) as blocks; a text that the store has becomes null."""
    texts = texts.select(TEXT_SCHEMA.names).sort_by([("key", "ascending"), ("side", "ascending"), ("id", "ascending")])
    keys = texts.column("key").to_pylist()
    present = store.present(set(keys))
    reused = pc.is_in(texts.column("key"), pa.array(sorted(present), pa.string()))
    text = pc.if_else(reused, pa.scalar(None, pa.string()), texts.column("text"))
    texts = texts.set_column(texts.column_names.index("text"), TEXT_SCHEMA.field("text"), text)
    start = 0
    while start < len(keys):
        stop = min(start + of.block_rows, len(keys))
        while stop < len(keys) and keys[stop] == keys[stop - 1]:
            stop += 1
        path = job.scratch("block") + ".parquet"
        with files.open_write(path) as file:
            pq.write_table(texts.slice(start, stop - start), file, compression="lz4")
        yield BlockReference(path, of.encoder, of.bucket, of.buckets)
        start = stop


def read_block(reference: BlockReference) -> pa.Table:
    """Returns the texts of a block."""
    with files.open_read(reference.path) as file, pq.ParquetFile(file) as parquet:
        return parquet.read()


def missing(block: pa.Table) -> tuple[list[str], list[str]]:
    """Returns the distinct (keys, texts) of a block that are to be encoded, sorted by key; blank texts are none."""
    wanted = block.filter(pc.and_(pc.is_valid(block.column("text")), pc.invert(block.column("blank"))))
    keys = wanted.column("key").to_pylist()
    if not keys:
        return [], []
    unique, first = np.unique(np.array(keys, dtype=object).astype(str), return_index=True)
    texts = wanted.column("text").take(pa.array(first)).to_pylist()
    return [str(key) for key in unique], texts
