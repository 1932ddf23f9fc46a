"""The store of verdicts: what scorers said about (query, document), so that another round judges only what is new.

`<cache>/verdicts/v1/<first of its ranges, 2 hex>/<sha256 of the contents>.parquet`. A file covers one of `buckets`
equal ranges of query ids; their number (a power of two up to 256) may differ from file to file. A verdict is known by
the hash of its scorer's identity (prompt, model, settings), the query as shown with id and instruction, and the
document as shown with its id. Values are stored, verdicts are made of them when they are read. Any whole file counts;
others are named in the log and passed over: the journal still holds what the calls said. A block that is finished
twice writes the same file.

What a scorer said stands: of a query's documents only those are judged that were not before. A listwise grade may lean
on the documents beside it, so that a grade from an earlier round may differ from what a call about all would give; it
is not asked for again, and `request_key` names the call that gave it. The rows depend on the inputs and on what was
stored when the stage began, not on workers or on the order of their work.
"""

import hashlib
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.ids import Json, canonical_json
from oreline.judging.cases import Case
from oreline.records import LikelihoodSource
from oreline.tables.schema import from_arrow, row_schema, to_arrow

_LOG = logging.getLogger(__name__)
_QUERIES_PER_RANGE = 1_024
_MOST_RANGES = 256


@dataclass(frozen=True)
class Kept:
    """A stored verdict; see `cases.Found`."""

    key: str
    value: float
    reason: str | None = None
    model: str | None = None
    request_key: str | None = None
    source: LikelihoodSource | None = None


@dataclass(frozen=True)
class Range:
    """One of `buckets` equal ranges of query ids, from 0."""

    bucket: int
    buckets: int

    @property
    def first(self) -> int:
        """The first of the 256 smallest ranges that it covers."""
        return self.bucket * (_MOST_RANGES // self.buckets)

    def folders(self) -> list[int]:
        """Returns where files lie whose range meets this one, by the first range that they cover."""
        width = _MOST_RANGES // self.buckets
        larger = {self.first & ~((1 << shift) - 1) for shift in range(9)}
        return sorted(larger | set(range(self.first, self.first + width)))


def range_count(queries: int) -> int:
    """Returns how many ranges the ids of so many queries are cut into: a power of two, about 1,024 queries each."""
    ranges = 1
    while ranges < _MOST_RANGES and ranges * _QUERIES_PER_RANGE < queries:
        ranges *= 2
    return ranges


def digest_of(value: Json) -> bytes:
    """Returns the sha256 of a value's canonical JSON, 32 bytes."""
    return hashlib.sha256(canonical_json(value)).digest()


def query_digest(case: Case) -> bytes:
    """Returns what a verdict depends on of its query."""
    return digest_of([case.query_id, case.query, case.instruction])


def verdict_key(identity: str, query: bytes, document: bytes) -> str:
    """Returns the key of a verdict, 64 hexadecimal digits, from the digests of scorer, query and document."""
    return hashlib.sha256(bytes.fromhex(identity) + query + document).hexdigest()


@dataclass
class VerdictStore:
    """The verdicts in a cache; `broken` names the files that could not be read."""

    cache: str
    broken: list[str] = field(default_factory=list)

    def read(self, where: Range, keys: Collection[str]) -> dict[str, Kept]:
        """Returns the stored verdicts among `keys`, all of whose queries are in a range.

        Of a verdict that stands there twice, that with the smaller request key counts, then the smaller value.
        """
        if not keys:
            return {}
        wanted = pa.array(sorted(keys), pa.string())
        found: dict[str, Kept] = {}
        for path in self._paths(where):
            for kept in self._rows(path, wanted):
                earlier = found.get(kept.key)
                if earlier is None or (kept.request_key or "", kept.value) < (earlier.request_key or "", earlier.value):
                    found[kept.key] = kept
        return found

    def write(self, where: Range, verdicts: Sequence[Kept]) -> None:
        """Writes verdicts whose queries are in a range as one file; nothing if there are none."""
        if not verdicts:
            return
        rows = sorted(verdicts, key=lambda each: each.key)
        sink = pa.BufferOutputStream()
        pq.write_table(to_arrow(Kept, rows), sink, compression="zstd", write_page_checksum=True)
        contents = sink.getvalue().to_pybytes()
        name = f"{hashlib.sha256(contents).hexdigest()[:32]}.parquet"
        files.write_atomically(files.join(self._folder(where.first), name), contents)

    def _folder(self, first: int) -> str:
        return files.join(self.cache, "verdicts", "v1", f"{first:02x}")

    def _paths(self, where: Range) -> Iterator[str]:
        for first in where.folders():
            for each in files.walk(self._folder(first)):
                if each.path.endswith(".parquet"):
                    yield each.path
                elif not each.path.endswith(".tmp"):  # what another worker is about to write
                    self._pass_over(each.path, "no file of verdicts")

    def _rows(self, path: str, wanted: pa.Array) -> list[Kept]:
        try:
            with files.open_read(path) as file, pq.ParquetFile(file, page_checksum_verification=True) as parquet:
                table = parquet.read(use_threads=False).cast(row_schema(Kept))
        except (pa.ArrowException, ValueError, OSError) as error:
            self._pass_over(path, str(error).partition("\n")[0] or type(error).__name__)
            return []
        return from_arrow(Kept, table.filter(pc.is_in(table.column("key"), wanted)))

    def _pass_over(self, path: str, why: str) -> None:
        if path not in self.broken:
            self.broken.append(path)
            _LOG.warning("%s: not a whole file of verdicts, passed over (%s)", path, why)
