"""The second half of ingest: per hash range, documents first, then the queries and judgements that need them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from oreline.job import Job, StageWriter
from oreline.shuffle import Scatter, gather
from oreline.sources.documents import DocumentShelf
from oreline.sources.found import FoundDocument, FoundPair, FoundQuery, Standing
from oreline.sources.relations import QueryShelf
from oreline.sources.scan import Message
from oreline.tables.schema import from_arrow, to_arrow

BLOCK_ROWS = 4096


@dataclass(frozen=True)
class SettleDocuments:
    """Writes the documents of a hash range, and sends its judgements on to their queries."""

    job: Job

    def __call__(self, bucket: tuple[int, Iterable[bytes]], limits: Mapping[int, bytes]) -> Iterator[Message]:
        """Yields a report, and references to pairs that know how their documents stand."""
        if self.job.stop_requested():
            yield _interrupted(self.job)
            return
        rows = gather(bucket[1])
        writer = StageWriter(self.job)
        documents = from_arrow(FoundDocument, rows["documents"]) if "documents" in rows else []
        largest = {source: int.from_bytes(limit, "big") for source, limit in limits.items()}
        standing = DocumentShelf(writer, self.job.recipe.sources, largest).settle(documents)
        if "pairs" in rows:
            yield from self._send_on(rows["pairs"], standing)
        yield "report", 0, writer.close().encode()

    def _send_on(self, rows: pa.Table, standing: Mapping[str, Standing]) -> Iterator[Message]:
        scatter = Scatter(self.job, "pairs")
        for start in range(0, rows.num_rows, BLOCK_ROWS):
            waiting = from_arrow(FoundPair, rows.slice(start, BLOCK_ROWS))
            pairs = [replace(pair, standing=standing.get(pair.doc_id, "unknown")) for pair in waiting]
            for key, reference in scatter.write([pair.query_bucket for pair in pairs], to_arrow(FoundPair, pairs)):
                yield "relation", key, reference
        for key, reference in scatter.close():
            yield "relation", key, reference


@dataclass(frozen=True)
class SettleQueries:
    """Writes the queries of a hash range with their pairs."""

    job: Job

    def __call__(self, bucket: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields a report."""
        if self.job.stop_requested():
            yield _interrupted(self.job)[2]
            return
        rows = gather(bucket[1])
        writer = StageWriter(self.job)
        queries = from_arrow(FoundQuery, rows["queries"]) if "queries" in rows else []
        pairs = from_arrow(FoundPair, rows["pairs"]) if "pairs" in rows else []
        QueryShelf(writer, self.job.recipe.sources).settle(queries, pairs)
        yield writer.close().encode()


def _interrupted(job: Job) -> Message:
    report = StageWriter(job).close(stopped="interrupted", message="stopped while sources were being sorted")
    return "report", 0, report.encode()
