"""The filter's steps, from references to references: screen by the rules, merge equal queries, thin out duplicates.

Queries travel with their pairs through scratch files. Each step yields (hash range, reference) for what goes on,
(REPORT, report) for what it has decided, and the last one (BLOCK, block) for what the rater is to see.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from oreline.filters.books import drop, keep
from oreline.filters.equal import merge_equal
from oreline.filters.judged import JudgedQuery, join, split
from oreline.filters.near import near_duplicates, near_scope
from oreline.filters.rater import active_rater, park
from oreline.filters.rules import Shown, find
from oreline.heartbeat import Heartbeat
from oreline.ids import bucket_of, canonical_json
from oreline.job import Job, StageWriter
from oreline.shuffle import Reference, Scatter, gather
from oreline.tables.reading import RowGroup
from oreline.tables.schema import table_schema

REPORT = -1
BLOCK = -2

_QUERIES_OF_A_RANGE = 50_000
_QUERIES_OF_A_BLOCK = 10_000
_SHOWN_COLUMNS = ("doc_id", "title", "text", "lang", "content")
_SHOWN_TOKENS = 16_000_000
"""Estimated tokens of documents that are held at once, some 100 MB; documents of the usual size all fit."""


@dataclass(frozen=True)
class Steps:
    """The steps of one job."""

    job: Job

    def screen(self, reference: RowGroup) -> Iterator[Reference]:
        """Tries the rules on a row group of queries; what passes goes on by its text."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            yield REPORT, _stopped(writer)
            return
        table = self.job.read(reference)
        ids = cast("list[str]", table.column("query_id").to_pylist())
        queries = join(table, self.job.lookup("pairs", "query_id", ids))
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
        for query_id, keeper in merging.merged:
            writer.merged(query_id, keeper)
        for judged, other in merging.leaked:
            query, evaluation = judged.query, other.query
            detail = f"{query.split} query, equal to {evaluation.query_id} of split {evaluation.split}"
            drop(writer, judged, "in_other_split", detail, evaluation.query_id)
        yield from self._scattered(merging.kept, _positives_key)
        yield REPORT, writer.close().encode()

    def thin(self, references: Iterable[bytes]) -> Iterator[Reference]:
        """Drops the near-duplicates of a hash range; what stays is written, or parked for the rater."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            yield REPORT, _stopped(writer)
            return
        staying = _gathered(references)
        if self.job.recipe.filter.duplicates == "drop":
            duplicates = near_duplicates(staying)
            for each in duplicates:
                keeper = each.keeper.query
                detail = (
                    f"Jaccard similarity {each.similarity:.2f} of the words with {keeper.query_id}: {keeper.query!r}"
                )
                drop(writer, each.judged, "duplicate_query", detail, keeper.query_id)
            gone = {each.judged.query.query_id for each in duplicates}
            staying = [judged for judged in staying if judged.query.query_id not in gone]
        if active_rater(self.job.recipe) is None:
            keep(writer, staying)
        else:
            for start in range(0, len(staying), _QUERIES_OF_A_BLOCK):
                yield BLOCK, park(self.job, staying[start : start + _QUERIES_OF_A_BLOCK])
        yield REPORT, writer.close().encode()

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
        """Returns the documents that the writers of these queries were shown, as far as rules will ask for them."""
        wanted = self._wanted(queries)
        if not wanted:
            return {}
        found = self.job.lookup("documents", "doc_id", wanted, _SHOWN_COLUMNS)
        return {row["doc_id"]: Shown(**row) for row in found.to_pylist()}

    def _wanted(self, queries: Sequence[JudgedQuery]) -> set[str]:
        if self.job.recipe.filter.rules == "none":
            return set()
        return {doc_id for judged in queries if judged.query.origin != "human" for doc_id in _shown_ids(judged)}

    def _scattered(self, queries: Sequence[JudgedQuery], key: Callable[[JudgedQuery], str]) -> Iterator[Reference]:
        ranges = 1 + sum(part.rows for part in self.job.parts("queries")) // _QUERIES_OF_A_RANGE
        ranges_of = {judged.query.query_id: bucket_of(key(judged), ranges) for judged in queries}
        for tag, rows in zip(("queries", "pairs"), split(queries), strict=True):
            scatter = Scatter(self.job, tag)
            ids = cast("list[str]", rows.column("query_id").to_pylist())
            yield from scatter.write([ranges_of[query_id] for query_id in ids], rows)
            yield from scatter.close()


def _shown_ids(judged: JudgedQuery) -> Sequence[str]:
    return judged.query.lineage.doc_ids if judged.query.lineage is not None else ()


def _gathered(references: Iterable[bytes]) -> list[JudgedQuery]:
    tables = gather(references)
    return join(tables["queries"], tables.get("pairs", table_schema("pairs").empty_table()))


def _text_key(judged: JudgedQuery) -> str:
    return f"{judged.query.dataset}\n{judged.query.query_hash}"


def _positives_key(judged: JudgedQuery) -> str:
    scope = near_scope(judged)
    if scope is None:
        return judged.query.query_id
    dataset, instruction, split_name, positives = scope
    return canonical_json([dataset, instruction, split_name, *positives]).decode()


def _stopped(writer: StageWriter) -> bytes:
    return writer.close(stopped="interrupted", message="filter was interrupted; run again to go on").encode()
