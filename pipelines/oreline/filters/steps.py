"""The filter's steps, from references to references: screen by the rules, merge equal queries, thin out what is left.

Queries travel with their pairs through scratch files. Each step yields (hash range, reference) for what goes on,
(REPORT, report) for what it has decided, and the last one (BLOCK, block) for what the rater is to see.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import pyarrow as pa

from oreline.filters.books import drop, keep, merge
from oreline.filters.decided import DECISIONS, query_ranges
from oreline.filters.equal import merge_equal
from oreline.filters.judged import JudgedQuery, Thinned, join, split
from oreline.filters.pairs import collapse
from oreline.filters.parked import park, read_parked, settled_block
from oreline.filters.rules import Shown, find
from oreline.filters.thinners import Thinner
from oreline.heartbeat import Heartbeat
from oreline.ids import bucket_of
from oreline.job import Job, Report, StageWriter
from oreline.records import Pair, Query, Reject
from oreline.shuffle import Reference, Scatter, gather
from oreline.tables.reading import RowGroup
from oreline.tables.schema import table_schema, to_arrow

Screening = Callable[[Sequence[Query], StageWriter], Mapping[str, Reject]]
"""What compares queries with benchmarks: it writes the matches and returns a reject, by id, for each to drop."""

REPORT = -1
BLOCK = -2

Then = Literal["go_on", "ask", "keep"]
"""Where a step's queries go: to the next step, to the model, or into the table."""

_QUERIES_OF_A_BLOCK = 10_000
_SHOWN_COLUMNS = ("doc_id", "title", "text", "lang", "content")
_SHOWN_TOKENS = 16_000_000
"""Estimated tokens of documents that are held at once, some 100 MB; documents of the usual size all fit."""


@dataclass(frozen=True)
class Steps:
    """The steps of one job."""

    job: Job

    def screen(self, reference: RowGroup, screening: Screening | None = None) -> Iterator[Reference]:
        """Compares a row group of queries with benchmarks and tries the rules; what passes goes on by its text."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            yield REPORT, _stopped(writer)
            return
        table = self.job.read(reference)
        ids = cast("list[str]", table.column("query_id").to_pylist())
        queries = join(table, self.job.lookup("pairs", "query_id", ids))
        if screening is not None:
            queries = _uncontaminated(queries, screening, writer)
        passed = []
        heartbeat = Heartbeat(self.job)
        for some in self._within_memory(queries):
            documents = self._documents(some)
            for judged in some:
                shown = [documents[doc_id] for doc_id in _shown_ids(judged) if doc_id in documents]
                finding = find(judged.query, shown, self.job.recipe.filter)
                if finding is None:
                    passed.append(judged)
                else:
                    drop(writer, judged, finding.reason, finding.detail, finding.rule)
            heartbeat.add(len(some))
        heartbeat.flush()
        yield from self._scattered(passed, _text_key)
        yield REPORT, writer.close().encode()

    def merge(self, references: Iterable[bytes]) -> Iterator[Reference]:
        """Merges the equal queries of a hash range; what stays goes on by its positives."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            yield REPORT, _stopped(writer)
            return
        arrived = _gathered(references)
        merging = merge_equal(arrived)
        by_id = {judged.query.query_id: judged.query for judged in arrived}
        for query_id, keeper in merging.merged:
            merge(writer, by_id[query_id], keeper)
        for judged, other in merging.leaked:
            query, evaluation = judged.query, other.query
            detail = f"{query.split} query, equal to {evaluation.query_id} of split {evaluation.split}"
            drop(writer, judged, "in_other_split", detail, evaluation.query_id)
        yield from self._scattered(merging.kept, _own_key)
        yield REPORT, writer.close().encode()

    def prepare(self, thinner: Thinner, references: Iterable[bytes]) -> Iterator[Reference]:
        """Yields what a thinner decides by, of the queries of a hash range; nothing once the user stopped the run."""
        if not self.job.stop_requested():
            yield from thinner.prepare(_gathered(references))

    def thin(self, thinner: Thinner | None, references: Iterable[bytes], then: Then) -> Iterator[Reference]:
        """Applies what was decided to the queries of a hash range; what stays goes on, to the rater or to the table.

        Decisions are among the references, under their own tag.
        """
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            yield REPORT, _stopped(writer)
            return
        tables = gather(references)
        arrived = _judged(tables)
        thinned = Thinned(arrived)
        if thinner is not None:
            thinned = thinner.apply(writer, arrived, tables.get(DECISIONS))
        if then == "go_on":
            yield from self._scattered(thinned.kept, _own_key, thinned.moved)
        elif then == "keep":
            keep(writer, thinned.kept)
        else:
            for start in range(0, len(thinned.kept), _QUERIES_OF_A_BLOCK):
                yield BLOCK, park(self.job, thinned.kept[start : start + _QUERIES_OF_A_BLOCK])
        yield REPORT, writer.close().encode()

    def hand_on(self, block: bytes, ended: Iterable[bytes]) -> Iterator[Reference]:
        """Yields references to the rated queries of a block, unless a report says that the rater ended early."""
        if not any(True for _ in ended):
            yield from self._scattered(read_parked(settled_block(block)), _own_key)

    def _within_memory(self, queries: Sequence[JudgedQuery]) -> Iterator[list[JudgedQuery]]:
        """Yields the queries in runs whose documents can be held at once: uncut ones may be long."""
        wanted = self._wanted(queries)
        lengths = self.job.lookup("documents", "doc_id", wanted, ("doc_id", "tokens")) if wanted else None
        tokens = {row["doc_id"]: row["tokens"] or 0 for row in lengths.to_pylist()} if lengths else {}
        some: list[JudgedQuery] = []
        held = 0
        for judged in queries:
            more = sum(tokens.get(doc_id, 0) for doc_id in _shown_ids(judged))
            if some and held + more > _SHOWN_TOKENS:
                yield some
                some, held = [], 0
            some.append(judged)
            held += more
        if some:
            yield some

    def _documents(self, queries: Sequence[JudgedQuery]) -> dict[str, Shown]:
        """Returns the documents that these queries were written from or with, as far as rules will ask for them."""
        wanted = self._wanted(queries)
        if not wanted:
            return {}
        found = self.job.lookup("documents", "doc_id", wanted, _SHOWN_COLUMNS)
        return {row["doc_id"]: Shown(**row) for row in found.to_pylist()}

    def _wanted(self, queries: Sequence[JudgedQuery]) -> set[str]:
        if self.job.recipe.filter.rules == "none":
            return set()
        return {doc_id for judged in queries if judged.query.origin != "human" for doc_id in _shown_ids(judged)}

    def _scattered(
        self, queries: Sequence[JudgedQuery], key: Callable[[JudgedQuery], str], moved: Sequence[Pair] = ()
    ) -> Iterator[Reference]:
        """Yields references to queries and their pairs by range of a key; `moved` pairs go by their query's id."""
        ranges = query_ranges(self.job)
        ranges_of = {judged.query.query_id: bucket_of(key(judged), ranges) for judged in queries}
        ranges_of |= {pair.query_id: bucket_of(pair.query_id, ranges) for pair in moved}
        tables = split(queries)
        both = (tables[0], pa.concat_tables([tables[1], to_arrow(Pair, list(moved))]))
        for tag, rows in zip(("queries", "pairs"), both, strict=True):
            scatter = Scatter(self.job, tag)
            ids = cast("list[str]", rows.column("query_id").to_pylist())
            yield from scatter.write([ranges_of[query_id] for query_id in ids], rows)
            yield from scatter.close()


def ended_early(report: bytes) -> Iterator[bytes]:
    """Yields a report that tells of a stop or a failure, nothing for another."""
    decoded = Report.decode(report)
    if decoded.stopped or decoded.failure:
        yield report


def _uncontaminated(queries: Sequence[JudgedQuery], screening: Screening, writer: StageWriter) -> list[JudgedQuery]:
    rejects = screening([judged.query for judged in queries], writer)
    for judged in queries:
        reject = rejects.get(judged.query.query_id)
        if reject is not None:
            drop(writer, judged, reject.reason, reject.detail, reject.by)
    return [judged for judged in queries if judged.query.query_id not in rejects]


def _shown_ids(judged: JudgedQuery) -> Sequence[str]:
    """Returns the documents that a query was written from; of one written from none, those written along with it."""
    lineage = judged.query.lineage
    return () if lineage is None else lineage.doc_ids or judged.positives


def _gathered(references: Iterable[bytes]) -> list[JudgedQuery]:
    """Returns the queries behind references, each with one pair per document."""
    return _judged(gather(references))


def _judged(tables: Mapping[str, pa.Table]) -> list[JudgedQuery]:
    queries, pairs = (tables.get(name, table_schema(name).empty_table()) for name in ("queries", "pairs"))
    found = join(queries, pairs)
    return [replace(judged, pairs=tuple(collapse(judged.pairs))) for judged in found]


def _text_key(judged: JudgedQuery) -> str:
    return f"{judged.query.dataset}\n{judged.query.query_hash}"


def _own_key(judged: JudgedQuery) -> str:
    return judged.query.query_id


def _stopped(writer: StageWriter) -> bytes:
    return writer.close(stopped="interrupted", message="filter was interrupted; run again to go on").encode()
