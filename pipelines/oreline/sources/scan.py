"""The first half of ingest: lists the files of all sources, reads them, and scatters what they hold by id."""

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, cast

from oreline.errors import OrelineError, SourceError
from oreline.heartbeat import Heartbeat
from oreline.ids import bucket_of, unit_hash
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Source, SourceFormat
from oreline.shuffle import Scatter
from oreline.sources.discovery import check_source, chunking_of, dataset_name, find_files, guess_format
from oreline.sources.formats import plain_name
from oreline.sources.found import Found, FoundDocument, FoundPair, FoundQuery, Place
from oreline.sources.listed import SourceFile
from oreline.sources.reading import read_file
from oreline.tables.schema import to_arrow

Kind = Literal["work", "report", "share", "smallest", "document", "relation"]
Message = tuple[str, int, bytes]
"""What crosses an edge of ingest: a Kind, a key (bucket or source), and the matter: JSON, a report, a reference."""

BUCKET_BYTES = 32 * 2**20
FEWEST_BUCKETS = 4
BATCH_BYTES = 8 * 2**20
BATCH_FILES = 256
BLOCK_ROWS = 4096
BLOCK_CHARACTERS = 16 * 2**20
EXAMPLES = 3
HASH_BYTES = 16
_UNREADABLE = frozenset({"unreadable", "missing_column"})
_EXPANSION = 4


@dataclass(frozen=True)
class ListFiles:
    """Lists the files of all sources in batches; runs on a worker, as a graph holds no work list."""

    job: Job

    def __call__(self, _: bytes) -> Iterator[Message]:
        """Yields `work` messages, or one `report` of the source that cannot be read."""
        batches: list[tuple[int, SourceFormat, list[SourceFile]]] = []
        try:
            for index, source in enumerate(self.job.recipe.sources):
                check_source(source)
                form = guess_format(source)
                batches.extend((index, form, batch) for batch in _batches(find_files(source)))
        except OrelineError as error:
            yield "report", 0, StageWriter(self.job).close(failure="source", message=str(error)).encode()
            return
        size = sum(_plain_size(each) for _, _, batch in batches for each in batch)
        buckets = max(FEWEST_BUCKETS, size // BUCKET_BYTES)
        for index, form, batch in batches:
            work = {
                "source": index,
                "form": form,
                "buckets": buckets,
                "files": [[each.info.path, each.relative] for each in batch],
            }
            yield "work", index, json.dumps(work).encode()


def _batches(found: list[SourceFile]) -> Iterator[list[SourceFile]]:
    batch: list[SourceFile] = []
    held = 0
    for each in found:
        if batch and (held + each.info.size > BATCH_BYTES or len(batch) == BATCH_FILES):
            yield batch
            batch, held = [], 0
        batch.append(each)
        held += each.info.size
    if batch:
        yield batch


def _plain_size(file: SourceFile) -> int:
    """Returns a file's size in bytes, guessed for a compressed one."""
    packed = plain_name(file.relative)[1] is not None or file.relative.endswith(".parquet")
    return file.info.size * (_EXPANSION if packed else 1)


@dataclass(frozen=True)
class ReadFiles:
    """Reads a batch of files and scatters documents and judgements by document, queries by query."""

    job: Job

    def __call__(self, work: bytes) -> Iterator[Message]:
        """Yields references, the share of unreadable rows, the smallest hashes for a limit, and a report."""
        body = json.loads(work)
        index = int(body["source"])
        source = self.job.recipe.sources[index]
        form = cast("SourceFormat", body["form"])
        batch = _Batch(self.job, source, index, int(body["buckets"]))
        heartbeat = Heartbeat(self.job)
        try:
            for path, relative in body["files"]:
                rows = read_file(_place(source, form, index, relative), path, form)
                while block := _block(rows):
                    if self.job.stop_requested():
                        report = batch.writer.close(stopped="interrupted", message="stopped while reading sources")
                        yield "report", 0, report.encode()
                        return
                    yield from batch.take(block)
                    heartbeat.add(len(block))
        except SourceError as error:
            yield "report", 0, batch.writer.close(failure="source", message=str(error)).encode()
            return
        heartbeat.flush()
        yield from batch.close()


def _place(source: Source, form: SourceFormat, index: int, relative: str) -> Place:
    chunked = chunking_of(source, form) is not None
    return Place(source, index, dataset_name(source), relative, None, chunked)


def _block(rows: Iterator[Found]) -> list[Found]:
    """Returns the next rows: at most `BLOCK_ROWS`, fewer if they are long."""
    block: list[Found] = []
    held = 0
    for found in islice(rows, BLOCK_ROWS):
        block.append(found)
        held += sum(len(document.text) for document in found.documents)
        if held >= BLOCK_CHARACTERS:
            break
    return block


@dataclass
class _Batch:
    """What a batch of files has given so far."""

    job: Job
    source: Source
    index: int
    buckets: int
    rows: int = 0
    bad: int = 0
    examples: list[str] = field(default_factory=list)
    smallest: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.writer = StageWriter(self.job)
        self._documents = Scatter(self.job, "documents")
        self._pairs = Scatter(self.job, "pairs")
        self._queries = Scatter(self.job, "queries")

    def take(self, block: list[Found]) -> Iterator[Message]:
        """Takes what was read, tells the fates of its units and yields where its rows went."""
        self.writer.units(found.unit for found in block)
        self.rows += len(block)
        for found in block:
            self._tell(found)
        documents = [document for found in block for document in found.documents]
        pairs = [
            replace(pair, query_bucket=bucket_of(pair.query_id, self.buckets))
            for found in block
            for pair in found.pairs
        ]
        queries = [query for found in block for query in found.queries]
        self._remember(documents)
        by_document = [bucket_of(document.doc_id, self.buckets) for document in documents]
        for key, reference in self._documents.write(by_document, to_arrow(FoundDocument, documents)):
            yield "document", key, reference
        for key, reference in self._pairs.write(self._pair_keys(pairs), to_arrow(FoundPair, pairs)):
            yield "document", key, reference
        by_query = [bucket_of(query.query_id, self.buckets) for query in queries]
        for key, reference in self._queries.write(by_query, to_arrow(FoundQuery, queries)):
            yield "relation", key, reference

    def close(self) -> Iterator[Message]:
        """Yields where the last rows went, and what the source's limit must know."""
        for key, reference in (*self._documents.close(), *self._pairs.close()):
            yield "document", key, reference
        for key, reference in self._queries.close():
            yield "relation", key, reference
        if self.smallest:
            yield "smallest", self.index, b"".join(each.to_bytes(HASH_BYTES, "big") for each in sorted(self.smallest))
        share = {"rows": self.rows, "bad": self.bad, "examples": self.examples}
        yield "share", self.index, json.dumps(share).encode()
        yield "report", 0, self.writer.close().encode()

    def _pair_keys(self, pairs: list[FoundPair]) -> list[int]:
        return [bucket_of(pair.doc_id, self.buckets) for pair in pairs]

    def _tell(self, found: Found) -> None:
        for aside in found.asides:
            self.writer.reject(aside)
        if found.passed_over:
            self.writer.counted_over([found.unit])
        if found.reject is None:
            return
        self.writer.dropped(found.unit, found.reject)
        if found.reject.reason in _UNREADABLE:
            self.bad += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(found.reject.detail)

    def _remember(self, documents: list[FoundDocument]) -> None:
        """Keeps the smallest hashes of ids, as many as the source's limit."""
        if self.source.limit is None:
            return
        self.smallest.update(unit_hash(document.doc_id) for document in documents)
        self.smallest = set(heapq.nsmallest(self.source.limit, self.smallest))


@dataclass(frozen=True)
class LargestHash:
    """Finds, for a source with a limit, the largest hash of an id that is within it."""

    job: Job

    def __call__(self, smallest: tuple[int, Iterable[bytes]]) -> tuple[int, bytes]:
        """Returns the source's index and the hash, 16 bytes, big-endian; all ids up to it are kept."""
        index, listed = smallest
        hashes = {
            int.from_bytes(each[start : start + HASH_BYTES], "big")
            for each in listed
            for start in range(0, len(each), HASH_BYTES)
        }
        limit = self.job.recipe.sources[index].limit or len(hashes)
        return index, heapq.nsmallest(limit, hashes)[-1].to_bytes(HASH_BYTES, "big")


@dataclass(frozen=True)
class CheckShare:
    """Fails the stage if a source has too many unreadable rows, or none at all."""

    job: Job

    def __call__(self, shares: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields a failure's report, or nothing."""
        index, listed = shares
        source = self.job.recipe.sources[index]
        parts = [json.loads(each) for each in listed]
        rows, bad = sum(part["rows"] for part in parts), sum(part["bad"] for part in parts)
        if rows == 0:
            message = f"source {source.path}: it holds no rows: its files are empty or hold nothing to read"
            yield StageWriter(self.job).close(failure="empty_source", message=message).encode()
        elif bad > tolerated(source.reject_share, rows):
            first = sorted(example for part in parts for example in part["examples"])[:EXAMPLES]
            message = (
                f"source {source.path}: {bad:,} of {rows:,} rows cannot be read, more than reject_share "
                f"{source.reject_share:g} allows; the first: {'; '.join(first)}. Mend them, or raise "
                "sources[].reject_share to leave them out"
            )
            yield StageWriter(self.job).close(failure="unreadable", message=message).encode()


def tolerated(share: float, rows: int) -> int:
    """Returns how many of `rows` may be unreadable: the share, but one at least unless the share is 0 or it is all."""
    if share == 0 or rows == 1:
        return rows if share == 1 else 0
    return max(1, int(share * rows))
