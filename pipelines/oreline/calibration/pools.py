"""Pools: the stored candidates of an output as flat arrays, best reference score first within each query."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline import files
from oreline.errors import CallError
from oreline.tables.parts import Part
from oreline.tables.reading import open_parquet

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
Bool = npt.NDArray[np.bool_]
Number = TypeVar("Number", np.int64, np.float64)

_SCORES = ("query_id", "positives", "known.list.element.rank", "pool.list.element.score")
_IDS = "pool.list.element.doc_id"


class Tables(Protocol):
    """The finished tables of an output, each as its last stage wrote it."""

    @property
    def output(self) -> str:
        """The output folder."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """The stage that wrote each table."""

    def parts(self, table: str) -> tuple[Part, ...]:
        """Returns the parts of a table, none if no stage wrote it."""

    def iterate(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yields a table by row group."""

    def lookup(self, table: str, column: str, wanted: Iterable[str], columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of a table whose `column` is among `wanted`."""


@dataclass(frozen=True)
class Pools:
    """The candidates of Q queries, N of them in all.

    `query_ids` (Q) and `doc_ids` name what `owner` (N, sorted) and `document` (N) count; `document` is empty unless
    ids were asked for. `score` (N) is the reference score. `lowest` (Q) is the lowest score of the query's positives;
    `positive_owner` and `positive_score` hold all of them, `positive_document` like `document`. `known` (Q) counts the
    given negatives.
    """

    query_ids: pa.Array
    owner: Int64
    score: Float64
    document: Int64
    doc_ids: pa.Array
    lowest: Float64
    positive_owner: Int64
    positive_score: Float64
    positive_document: Int64
    known: Int64

    @property
    def starts(self) -> Int64:
        """Where each query's candidates begin (Q + 1)."""
        return np.searchsorted(self.owner, np.arange(len(self.query_ids) + 1)).astype(np.int64)


def read_pools(tables: Tables, *, ids: bool) -> Pools:
    """Reads the table `candidates`; with `ids` also which documents they are.

    Queries without a scored positive are left out: nothing can be selected for them.

    Raises CallError if mine has not run.
    """
    if "candidates" not in tables.inputs:
        done = ", ".join(dict.fromkeys(tables.inputs.values())) or "nothing"
        raise CallError(
            f"{tables.output}: there are no stored candidates; finished: {done}. Run the recipe as far as mine first "
            "(oreline run RECIPE --until mine), with select.negatives above 0"
        )
    blocks = [_Block.of(table, ids=ids) for table in _row_groups(tables, ids=ids)]
    return _joined(blocks, tables if ids else None)


def _row_groups(tables: Tables, *, ids: bool) -> Iterator[pa.Table]:
    columns = [*_SCORES, _IDS] if ids else list(_SCORES)
    for part in sorted(tables.parts("candidates"), key=lambda each: each.path):
        with open_parquet(files.join(tables.output, part.path)) as parquet:
            for index in range(parquet.num_row_groups):
                yield parquet.read_row_group(index, columns=columns)


@dataclass(frozen=True)
class _Block:
    """One row group: lengths of lists per query, and what stands in the lists."""

    query_ids: pa.Array
    lengths: Int64
    scores: Float64
    doc_ids: pa.Array | None
    positives: Int64
    positive_scores: Float64
    positive_ids: pa.Array
    known: Int64

    @classmethod
    def of(cls, table: pa.Table, *, ids: bool) -> "_Block":
        pool, positives = (_whole(table, name) for name in ("pool", "positives"))
        entries, placed = pool.flatten(), positives.flatten()
        return cls(
            _whole(table, "query_id"),
            _lengths(pool),
            entries.field("score").to_numpy(zero_copy_only=False),
            entries.field("doc_id").dictionary_encode() if ids else None,
            _lengths(positives),
            placed.field("score").to_numpy(zero_copy_only=False),
            placed.field("doc_id"),
            _lengths(_whole(table, "known")),
        )


def _whole(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _lengths(lists: pa.Array) -> Int64:
    lengths: Int64 = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _joined(blocks: list[_Block], tables: Tables | None) -> Pools:
    query_ids = pa.concat_arrays([block.query_ids for block in blocks]) if blocks else pa.array([], pa.string())
    places = np.arange(len(query_ids))
    owner = np.repeat(places, _cat([block.lengths for block in blocks], np.int64))
    positive_owner = np.repeat(places, _cat([block.positives for block in blocks], np.int64))
    score = _cat([block.scores for block in blocks], np.float64)
    positive_score = _cat([block.positive_scores for block in blocks], np.float64)
    doc_ids, document, positive_document = _documents(blocks, tables)
    pools = Pools(
        query_ids,
        owner,
        score,
        document,
        doc_ids,
        lowest_of(positive_owner, positive_score, len(query_ids)),
        positive_owner,
        positive_score,
        positive_document,
        _cat([block.known for block in blocks], np.int64),
    )
    return only(_sorted(pools), np.isfinite(pools.lowest))


def _cat(arrays: Sequence[npt.NDArray[Number]], kind: type[Number]) -> npt.NDArray[Number]:
    return np.concatenate(arrays) if arrays else np.empty(0, kind)


def lowest_of(owner: Int64, score: Float64, queries: int) -> Float64:
    """Returns the lowest score of each of some queries, infinite where it has none."""
    lowest = np.full(queries, np.inf)
    np.minimum.at(lowest, owner, score)
    return lowest


def _documents(blocks: list[_Block], tables: Tables | None) -> tuple[pa.Array, Int64, Int64]:
    """Returns the documents' ids, and for each candidate and each positive the place of its document among them."""
    empty = np.empty(0, np.int64)
    if tables is None:
        return pa.array([], pa.string()), empty, empty
    listed = [rows.column("doc_id").combine_chunks() for rows in tables.iterate("documents", ["doc_id"])]
    flat = [chunk for each in listed for chunk in (each.chunks if isinstance(each, pa.ChunkedArray) else [each])]
    doc_ids = pa.concat_arrays(flat) if flat else pa.array([], pa.string())
    found: list[Int64] = []
    for block in blocks:
        if block.doc_ids is not None:
            places = places_in(block.doc_ids.dictionary, doc_ids)
            found.append(places[block.doc_ids.indices.to_numpy(zero_copy_only=False)])
    positives = [places_in(block.positive_ids, doc_ids) for block in blocks]
    return doc_ids, np.concatenate(found) if found else empty, np.concatenate(positives) if positives else empty


def places_in(values: pa.Array, among: pa.Array) -> Int64:
    """Returns the place of each value in `among`, -1 for one that is not there."""
    found = pc.fill_null(pc.index_in(values, value_set=among), -1)
    places: Int64 = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def _sorted(pools: Pools) -> Pools:
    """Returns the pools best score first within each query, as mine writes them."""
    rising = (np.diff(pools.score) > 0) & (np.diff(pools.owner) == 0)
    if not rising.any():
        return pools
    order = np.lexsort((-pools.score, pools.owner))
    document = pools.document[order] if len(pools.document) else pools.document
    return Pools(**{**vars(pools), "score": pools.score[order], "document": document})


def only(pools: Pools, wanted: Bool) -> Pools:
    """Returns the pools of some queries (Q)."""
    if wanted.all():
        return pools
    place = np.cumsum(wanted) - 1
    kept, positives = wanted[pools.owner], wanted[pools.positive_owner]
    with_ids = len(pools.document) > 0
    return Pools(
        pools.query_ids.filter(pa.array(wanted)),
        place[pools.owner[kept]],
        pools.score[kept],
        pools.document[kept] if with_ids else pools.document,
        pools.doc_ids,
        pools.lowest[wanted],
        place[pools.positive_owner[positives]],
        pools.positive_score[positives],
        pools.positive_document[positives] if with_ids else pools.positive_document,
        pools.known[wanted],
    )
