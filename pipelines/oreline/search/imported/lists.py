"""Imported candidates of a block of queries as lists of miners: documents found, repeated lines left out, in order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import StageWriter
from oreline.records import Reject
from oreline.search.corpus import Corpus, column_of
from oreline.search.hits import Proposal
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Ranked
from oreline.search.tags import TagIndex

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Entries:
    """What a miner's files hold, flat: rows of queries, orders of documents, scores (NaN for none), and rows of files.

    `places` order entries as the files do; `positive` ones the files call positives.
    """

    queries: Int64
    order: Int64
    scores: Float64
    places: Int64
    positive: Bools
    rows: Int64

    def take(self, chosen: Int64) -> "Entries":
        """Returns some entries."""
        return Entries(
            self.queries[chosen],
            self.order[chosen],
            self.scores[chosen],
            self.places[chosen],
            self.positive[chosen],
            self.rows[chosen],
        )


def proposals(
    rows: pa.Table, query_ids: Sequence[str], corpus: Corpus, datasets: Sequence[str], writer: StageWriter
) -> dict[str, Proposal]:
    """Returns each miner's candidates of some queries, as `entries_of` and `proposal_of` make them."""
    found = entries_of(rows, query_ids, corpus, datasets, writer)
    return {miner: proposal_of(miner, entries, writer) for miner, entries in found.items()}


def entries_of(  # noqa: PLR0917 - rows of files, and what they meet
    rows: pa.Table,
    query_ids: Sequence[str],
    corpus: Corpus,
    datasets: Sequence[str],
    writer: StageWriter,
    labelled: Sequence[tuple[int, str]] = (),
) -> dict[str, Entries]:
    """Returns what files hold of some queries (`spreading.ROW_SCHEMA`), by miner; a document once per query.

    A document that is not searched, and a repeated line, are written as rejects. `datasets` are those that an id
    without one may belong to besides its query's; `labelled` are (query, document) that count although the document
    is not searched.
    """
    named = _Named.of(corpus, labelled)
    asked = pc.fill_null(pc.index_in(rows.column("query_id"), value_set=pa.array(query_ids, pa.string())), -1)
    asked = np.asarray(asked, np.int64)
    found: dict[str, Entries] = {}
    for miner in sorted(pc.unique(rows.column("miner")).to_pylist()):
        mine = np.asarray(pc.equal(rows.column("miner"), miner), np.bool_)
        own = some(rows, mine & (asked >= 0))
        writer.tally("runs", miner, "of_queries_without_vector", number=int((mine & (asked < 0)).sum()))
        queries = asked[mine & (asked >= 0)]
        entries = _entries(own, queries, _documents(own, queries, named, datasets, writer))
        found[miner] = _single(own, entries, writer)
    return found


def _entries(rows: pa.Table, queries: Int64, order: Int64) -> Entries:
    known = np.flatnonzero(order >= 0)
    scores = pc.fill_null(rows.column("score"), np.nan)
    return Entries(
        queries,
        order,
        np.asarray(scores, np.float64),
        np.asarray(rows.column("place"), np.int64),
        np.asarray(rows.column("positive"), np.bool_),
        np.arange(rows.num_rows),
    ).take(known)


@dataclass(frozen=True)
class _Named:
    """The documents that a line may name: those that are searched, and of a query those that it is labelled with.

    A corpus knows what any query of its block is labelled with too; which queries share a block must change nothing.
    """

    corpus: Corpus
    queries: Int64
    order: Int64

    @classmethod
    def of(cls, corpus: Corpus, labelled: Sequence[tuple[int, str]]) -> "_Named":
        """Takes (query, document) of labels."""
        queries = np.array([query for query, _ in labelled], np.int64)
        return cls(corpus, queries, corpus.order_of(pa.array([doc_id for _, doc_id in labelled], pa.string())))

    def find(self, queries: Int64, ids: pa.Array) -> Int64:
        """Returns the order of ids, each asked for by a query; -1 for what it may not name."""
        order = self.corpus.known(ids)
        width = 1 + max(int(order.max(initial=0)), int(self.order.max(initial=0)))
        own = np.isin(queries * width + order, self.queries * width + self.order)
        return np.where(own | self.corpus.holds(ids), order, -1)


def _documents(rows: pa.Table, queries: Int64, named: _Named, datasets: Sequence[str], writer: StageWriter) -> Int64:
    """Returns the order of each row's document, -1 for one that is not searched; that becomes a reject."""
    order = np.full(rows.num_rows, -1, np.int64)
    by_id = np.asarray(pc.is_valid(rows.column("document")), np.bool_)
    several: dict[int, str] = {}
    if by_id.any():
        found = some(rows, by_id)
        order[by_id], several = _by_ids(found, queries[by_id], named, datasets, np.flatnonzero(by_id))
    if not by_id.all():
        order[~by_id] = _by_texts(rows.filter(pa.array(~by_id)), named.corpus)
    for place in np.flatnonzero(order < 0).tolist():
        row = rows.slice(place, 1).to_pylist()[0]
        name = row["document"]
        sentence = several.get(place) or (
            "no searched document has this text, after normalisation"
            if name is None
            else f"there is no document {name!r} among those searched for this query (mine.within); expected its id, "
            "with or without dataset"
        )
        reason = "ambiguous_id" if place in several else "unknown_document"
        _reject(row, reason, sentence, writer)
    return order


def _by_ids(
    rows: pa.Table, queries: Int64, named: _Named, datasets: Sequence[str], places: Int64
) -> tuple[Int64, dict[int, str]]:
    """Returns the order of ids: as they stand, else within the query's dataset, else within the only other one."""
    ids = rows.column("document").combine_chunks()
    order = named.find(queries, ids)
    own = pc.binary_join_element_wise(rows.column("dataset").combine_chunks(), ids, "/")
    order = np.where(order < 0, named.find(queries, own), order)
    several: dict[int, str] = {}
    lost = np.flatnonzero(order < 0)
    if len(lost):
        names = ids.take(pa.array(lost))
        joined = (pc.binary_join_element_wise(each, names, "/") for each in datasets)
        tried = np.stack([named.find(queries[lost], each) for each in joined], axis=1)
        hits = (tried >= 0).sum(axis=1)
        order[lost[hits == 1]] = tried[hits == 1].max(axis=1, initial=-1)
        for row in np.flatnonzero(hits > 1).tolist():
            meant = ", ".join(each for each, place in zip(datasets, tried[row], strict=True) if place >= 0)
            name = names[row].as_py()
            sentence = f"documents of several datasets have the id {name!r} ({meant}); write <dataset>/{name}"
            several[int(places[lost[row]])] = sentence
    return order, several


def _by_texts(rows: pa.Table, corpus: Corpus) -> Int64:
    """Returns the order of the document that has each text; of several with one text, that of the smallest id."""
    texts = rows.column("text").combine_chunks().dictionary_encode()
    numbers = np.asarray(texts.indices, np.int64)
    _, first = np.unique(numbers, return_index=True)
    tags = rows.column("tags").combine_chunks().take(pa.array(first)).to_pylist()
    index = TagIndex([set(each) for each in tags])
    unknown = np.iinfo(np.int64).max
    best = np.full(len(first), unknown)
    for path, order in corpus.files():
        pairs = index.match(column_of(path, "tags"))
        np.minimum.at(best, pairs.queries, order[pairs.rows])
    return np.where(best == unknown, -1, best)[numbers]


def _single(rows: pa.Table, entries: Entries, writer: StageWriter) -> Entries:
    """Returns each query's documents once, by their best line; the others become rejects."""
    worst_last = np.where(np.isnan(entries.scores), np.inf, -entries.scores)
    sorting = np.lexsort((entries.places, worst_last, ~entries.positive, entries.order, entries.queries))
    entries = entries.take(sorting)
    same = (np.diff(entries.queries, prepend=-1) == 0) & (np.diff(entries.order, prepend=-1) == 0)
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(same))))
    for place in np.flatnonzero(same).tolist():
        row, kept = (rows.slice(int(entries.rows[each]), 1).to_pylist()[0] for each in (place, first[place]))
        _reject(row, "repeated_line", f"the line {kept['source']} holds the same query and document", writer)
    return entries.take(np.flatnonzero(~same))


def proposal_of(miner: str, entries: Entries, writer: StageWriter) -> Proposal:
    """Returns a miner's candidates in the order of their scores; of a query with some that have none, of the file.

    What the file calls positive is no candidate.
    """
    writer.tally("runs", miner, "positives", number=int(entries.positive.sum()))
    entries = entries.take(np.flatnonzero(~entries.positive))
    count = 1 + int(entries.queries.max(initial=-1))
    without = np.zeros(count, np.bool_)
    without[entries.queries[np.isnan(entries.scores)]] = True
    scored = ~without[entries.queries]
    asked = np.unique(entries.queries)
    writer.tally("runs", miner, "queries_by_score", number=int((~without[asked]).sum()))
    writer.tally("runs", miner, "queries_by_order_of_file", number=int(without[asked].sum()))
    writer.tally("runs", miner, "candidates", number=len(scored))
    by_place = np.empty(len(scored))
    by_place[np.argsort(entries.places, kind="stable")] = -np.arange(1.0, len(scored) + 1)
    values = np.where(scored, entries.scores, by_place)
    return Proposal(Ranked(entries.queries, entries.order, values), scored)


def some(rows: pa.Table, chosen: Bools) -> pa.Table:
    """Returns the rows that are chosen; all of them without a copy, as runs are large."""
    return rows if chosen.all() else rows.filter(pa.array(chosen))


def _reject(row: dict[str, object], reason: str, detail: str, writer: StageWriter) -> None:
    payload = f"{row['query_id']} {row['document'] or row['text']}"
    writer.reject(Reject(str(row["source"]), "candidates", reason, detail, str(row["miner"]), payload))
