"""What mining found for a query, as selection reads it: documents of the pool are made when they are looked at.

A row looks at a few dozen of its pool's documents as a rule; to make all of them would take most of selection's time.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.records import Hit, PoolEntry, Scored
from oreline.tables.schema import from_arrow


@dataclass(frozen=True)
class _Columns:
    """The pools of several queries: a place per document, and the hits of place p from `hits[p]` to `hits[p + 1]`."""

    doc_ids: Sequence[str]
    scores: Sequence[float]
    hits: Sequence[int]
    miners: Sequence[str]
    ranks: Sequence[int]
    hit_scores: Sequence[float | None]

    def entry(self, place: int) -> PoolEntry:
        """Returns the document at a place."""
        hits = range(self.hits[place], self.hits[place + 1])
        found = [Hit(self.miners[each], self.ranks[each], self.hit_scores[each]) for each in hits]
        return PoolEntry(self.doc_ids[place], self.scores[place], found)


class Pool:
    """The documents of a query that may become negatives: best reference score first, then the smaller id."""

    def __init__(self, columns: _Columns, places: Sequence[int]) -> None:
        self._columns = columns
        self._places = places

    def __iter__(self) -> Iterator[PoolEntry]:
        """Yields the documents, each made anew."""
        return map(self._columns.entry, self._places)

    def among(self, doc_ids: Collection[str]) -> Iterator[PoolEntry]:
        """Yields those of the documents that have one of these ids."""
        known = self._columns.doc_ids
        return (self._columns.entry(place) for place in self._places if known[place] in doc_ids)


@dataclass(frozen=True)
class _Labelled:
    """The columns of the table `candidates` beside the pool."""

    query_id: str
    positives: list[Scored]
    known: list[Scored]


@dataclass(frozen=True)
class Mined:
    """A row of the table `candidates`; columns as in `records.Candidate`."""

    query_id: str
    positives: Sequence[Scored]
    known: Sequence[Scored]
    pool: Pool


def mined_rows(candidates: pa.Table) -> Iterator[Mined]:
    """Yields the rows of a part of the table `candidates`, whose ids and scores are held in memory."""
    lists = candidates.column("pool").combine_chunks()
    ends = np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False)).tolist()
    columns = _columns(lists.flatten())
    places = _best_first(columns, ends)
    start = 0
    for row, end in zip(from_arrow(_Labelled, candidates), ends, strict=True):
        yield Mined(row.query_id, row.positives, row.known, Pool(columns, places[start:end]))
        start = end


def _columns(entries: pa.StructArray) -> _Columns:
    column = {field.name: values for field, values in zip(entries.type, entries.flatten(), strict=True)}
    lengths = column["hits"].value_lengths().to_numpy(zero_copy_only=False)
    structs = column["hits"].flatten()
    hit = {field.name: values.to_pylist() for field, values in zip(structs.type, structs.flatten(), strict=True)}
    return _Columns(
        column["doc_id"].to_pylist(),
        column["score"].to_pylist(),
        [0, *np.cumsum(lengths).tolist()],
        hit["miner"],
        hit["rank"],
        hit["score"],
    )


def _best_first(columns: _Columns, ends: Sequence[int]) -> Sequence[int]:
    """Returns the places, those of each query in its pool's order; mining writes them so, and then none moves."""
    scores, doc_ids = np.asarray(columns.scores), columns.doc_ids
    within = np.ones(max(len(scores) - 1, 0), np.bool_)
    within[[end - 1 for end in ends if 0 < end < len(scores)]] = False
    rises = np.diff(scores) if len(scores) else np.empty(0)
    ties = np.flatnonzero(within & (rises == 0)).tolist()
    if not (within & (rises > 0)).any() and all(doc_ids[tie] < doc_ids[tie + 1] for tie in ties):
        return range(len(scores))
    owner = np.searchsorted(ends, np.arange(len(scores)), side="right").tolist()
    return sorted(range(len(scores)), key=lambda place: (owner[place], -columns.scores[place], doc_ids[place]))
