"""Duplicates at any scale: near queries, and near pairs, by buckets of sketches that are shuffled by hash range.

rows -> sketches by range of buckets -> edges by range of scopes -> decisions by range of queries -> applied to those.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.filters.books import Withdrawn, drop, withdraw
from oreline.filters.comparing import Bools, Ints, Nodes, near_edges
from oreline.filters.decided import about, to_queries
from oreline.filters.equal import TRAIN
from oreline.filters.judged import JudgedQuery, Thinned
from oreline.filters.leaders import LED, led
from oreline.filters.places import id_at, pair_at, pair_place, query_place
from oreline.filters.sketches import SKETCHES, Row, banding, found_share, sketched
from oreline.ids import canonical_json
from oreline.job import Job, StageWriter
from oreline.minhash.grams import Shape, shingles_of
from oreline.minhash.similarity import jaccard
from oreline.recipe.settings import Nearness, PairNearness, QueryNearness
from oreline.records import Content, Pair, Query
from oreline.shuffle import Reference, Scatter, gather

_ROWS_AT_ONCE = 4_096
_RANGE_ROWS = 1_000_000
_CHARACTERS_OF_A_WORD = 6
_DOCUMENT_SHAPE = Shape(5)
_CONTENTS: tuple[Content, ...] = ("text", "code")


@dataclass(frozen=True)
class Duplicates(ABC):
    """One kind of duplicates: what is compared, and what becomes of a block once it is decided."""

    job: Job

    @property
    @abstractmethod
    def settings(self) -> Nearness:
        """When two are near."""

    @abstractmethod
    def rows(self, queries: Sequence[JudgedQuery]) -> list[Row]:
        """Returns what is compared of some queries."""

    @abstractmethod
    def confirm(self, nodes: Nodes, one: Ints, other: Ints) -> Bools:
        """Says of pairs with near queries whether they are near in all."""

    @abstractmethod
    def apply(self, writer: StageWriter, queries: Sequence[JudgedQuery], decisions: pa.Table | None) -> Thinned:
        """Returns what stays of a block, and tells what goes."""

    def prepare(self, queries: Sequence[JudgedQuery]) -> Iterator[Reference]:
        """Yields references to the sketches of some queries, by range of buckets."""
        weight = _CHARACTERS_OF_A_WORD if self.settings.unit == "character" else 1
        ranges = np.uint64(_ranges(self.job, banding(self.settings)[0] * weight))
        scatter = Scatter(self.job, "sketches")
        half = np.uint64(32)
        rows = self.rows(queries)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            table = sketched(rows[start : start + _ROWS_AT_ONCE], self.settings)
            buckets = table.column("bucket").to_numpy()
            yield from scatter.write((((buckets >> half) * ranges) >> half).astype(np.int64), table)
        yield from scatter.close()

    def compare(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields references to the edges of a range of buckets, by range of scopes; no more once the user stopped."""
        ranges = np.uint64(_ranges(self.job, 1))
        scatter = Scatter(self.job, "edges")
        sketches = gather(keyed[1]).get("sketches", SKETCHES.empty_table())
        for found in near_edges(sketches, self.settings.threshold, self.confirm, human=self.settings.human):
            if self.job.stop_requested():
                return
            yield from scatter.write((found.scopes % ranges).astype(np.int64), found.edges)
        yield from scatter.close()

    @abstractmethod
    def query_at(self, place: str) -> str:
        """Returns the id of the query that a row is of."""

    def decide(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields references to what goes (LED) in a range of scopes, by range of queries."""
        gone = led(list(gather(keyed[1]).values()))
        yield from to_queries(self.job, gone, map(self.query_at, gone.column("row").to_pylist()))


def _ranges(job: Job, rows_of_each: int) -> int:
    """Returns the number of ranges that rows are cut into: what comes out does not depend on it."""
    pairs = sum(part.rows for table in ("queries", "pairs") for part in job.parts(table))
    return 1 + pairs * rows_of_each // _RANGE_ROWS


@dataclass(frozen=True)
class QueryDuplicates(Duplicates):
    """Near queries: those of equal positives, or all, whose positives then go to the one that stays."""

    @property
    def settings(self) -> QueryNearness:
        """When two queries are near."""
        return self.job.recipe.filter.near_queries

    def rows(self, queries: Sequence[JudgedQuery]) -> list[Row]:
        """Returns a row per query; with `positives: same` one without a positive is compared with none."""
        found = []
        for judged in queries:
            query, positives = judged.query, judged.positives
            if positives or self.settings.positives != "same":
                shared = positives if self.settings.positives == "same" else ()
                scope = canonical_json([query.dataset, query.instruction, query.split, *shared]).decode()
                found.append(Row(query_place(query, self.settings.keep), scope, query.query))
        return found

    def query_at(self, place: str) -> str:
        """Returns the id of the query at a place."""
        return id_at(place)

    def confirm(self, nodes: Nodes, one: Ints, other: Ints) -> Bools:
        """Says yes: near queries of one scope are duplicates."""
        del nodes, other
        return np.ones(len(one), np.bool_)

    def apply(self, writer: StageWriter, queries: Sequence[JudgedQuery], decisions: pa.Table | None) -> Thinned:
        """Drops the duplicates; their positives move unless they are the same anyway."""
        places = [query_place(each.query, self.settings.keep) for each in queries]
        gone = {row["row"]: row for row in about(decisions, places, LED).to_pylist()}
        kept: list[JudgedQuery] = []
        moved: list[Pair] = []
        for place, judged in zip(places, queries, strict=True):
            if place not in gone:
                kept.append(judged)
                continue
            told = gone[place]
            keeper = id_at(told["leader"])
            moving = list(self._moving(judged, keeper))
            detail = f"{_likeness(self.settings, told)} with {keeper}; {_cluster('queries', told, keeper)}"
            drop(writer, replace(judged, pairs=() if moving else judged.pairs), "duplicate_query", detail, keeper)
            moved += moving
        if moved:
            writer.count("moved_pairs", len(moved))
        writer.fact("near_queries_recall_at_threshold", round(found_share(self.settings), 6))
        return Thinned(kept, moved)

    def _moving(self, judged: JudgedQuery, keeper: str) -> Iterator[Pair]:
        if self.settings.positives == "same":
            return
        for pair in judged.pairs:
            partial = self.settings.positives == "partial" and pair.label == "positive"
            yield replace(pair, query_id=keeper, label="partial" if partial else pair.label)


@dataclass(frozen=True)
class PairDuplicates(Duplicates):
    """Near pairs: near queries with equal or near positives. The pair that goes becomes partial, never a negative.

    Its document becomes partial for the query that stays too, so that it is no negative of that one either.
    """

    @property
    def settings(self) -> PairNearness:
        """When two pairs are near."""
        return self.job.recipe.filter.near_pairs or PairNearness()

    def rows(self, queries: Sequence[JudgedQuery]) -> list[Row]:
        """Returns a row per positive pair of split train: the judgements of a test set stay as they are.

        Where positives must be equal, their text is part of the scope: a query of many positives is compared with none
        of its own.
        """
        trained = [judged for judged in queries if judged.query.split == TRAIN]
        texts = text_hashes(self.job, trained)
        return [
            Row(
                pair_place(judged.query, doc_id, self.settings.keep),
                self._scope(judged.query, texts.get(doc_id, doc_id)),
                judged.query.query,
                doc_id,
                texts.get(doc_id, doc_id),
            )
            for judged in trained
            for doc_id in judged.positives
        ]

    def query_at(self, place: str) -> str:
        """Returns the id of the query of a pair."""
        return pair_at(place)[0]

    def confirm(self, nodes: Nodes, one: Ints, other: Ints) -> Bools:
        """Says whether the positives are one document, have equal texts, or reach `documents`."""
        documents = (nodes.doc_ids.take(pa.array(one)), nodes.doc_ids.take(pa.array(other)))
        near = np.asarray(pc.equal(*documents), np.bool_)
        near |= np.asarray(pc.equal(nodes.texts.take(pa.array(one)), nodes.texts.take(pa.array(other))), np.bool_)
        if self.settings.documents < 1.0 and not near.all():
            rest = np.flatnonzero(~near)
            left, right = (each.take(pa.array(rest)) for each in documents)
            near[rest] = self._near_documents(left, right)
        return near

    def apply(self, writer: StageWriter, queries: Sequence[JudgedQuery], decisions: pa.Table | None) -> Thinned:
        """Withdraws the pairs that go; a query without another positive goes with them."""
        places = {
            pair_place(judged.query, pair.doc_id, self.settings.keep): pair
            for judged in queries
            for pair in judged.pairs
            if pair.label == "positive"
        }
        gone: dict[str, list[Withdrawn]] = {}
        moved: list[Pair] = []
        for told in about(decisions, places, LED).to_pylist():
            query_id, doc_id = pair_at(told["leader"])
            detail = (
                f"{_likeness(self.settings, told)} with {query_id} for {doc_id}; {_cluster('pairs', told, query_id)}"
            )
            pair = places[told["row"]]
            gone.setdefault(pair.query_id, []).append(Withdrawn(pair.doc_id, "duplicate_pair", detail, query_id))
            if pair.doc_id != doc_id and pair.query_id != query_id:
                moved.append(replace(pair, query_id=query_id, label="partial"))
        writer.fact("near_pairs_recall_at_threshold", round(found_share(self.settings), 6))
        return Thinned(withdraw(writer, queries, gone), moved)

    def _scope(self, query: Query, text: str) -> str:
        shared = [text] if self.settings.documents >= 1.0 else []
        return canonical_json([query.dataset, query.instruction, query.split, *shared]).decode()

    def _near_documents(self, one: pa.Array, other: pa.Array) -> Bools:
        """Compares documents by the 5-grams of their words; their texts are read, their shingles kept."""
        ids = pc.unique(pa.chunked_array([one, other]))
        columns = ["doc_id", "text", "content"]
        rows = self.job.lookup("documents", "doc_id", ids.to_pylist(), columns)
        near = np.zeros(len(one), np.bool_)
        for content in _CONTENTS:
            some = rows.filter(pc.equal(rows.column("content"), content))
            sets = shingles_of(some.column("text"), content, _DOCUMENT_SHAPE)
            held = some.column("doc_id").combine_chunks()
            left, right = (pc.index_in(each, value_set=held) for each in (one, other))
            both = np.flatnonzero(np.asarray(pc.and_(pc.is_valid(left), pc.is_valid(right)), np.bool_))
            places = pa.array(both)
            pairs = [np.asarray(each.take(places), np.int64) for each in (left, right)]
            near[both] = jaccard(sets.take(pairs[0]), sets.take(pairs[1])) >= self.settings.documents
        return near


def text_hashes(job: Job, queries: Sequence[JudgedQuery]) -> dict[str, str]:
    """Returns the text hashes of the positives of some queries, by document; one that is not there has none."""
    wanted = {doc_id for judged in queries for doc_id in judged.positives}
    found = job.lookup("documents", "doc_id", wanted, ["doc_id", "text_hash"])
    return dict(zip(found.column("doc_id").to_pylist(), found.column("text_hash").to_pylist(), strict=True))


def _likeness(settings: Nearness, told: dict[str, float]) -> str:
    return f"Jaccard similarity {told['similarity']:.3f} of {settings.unit} {settings.ngram}-grams"


def _cluster(rows: str, told: dict[str, int], keeper: str) -> str:
    return f"cluster of {told['members']:,} {rows} kept as {keeper}"
