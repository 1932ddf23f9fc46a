"""Postings: which documents of a shard hold a term, beside the shard's vectors; and the statistics of a scope."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.search.scores import Int64

Int32 = npt.NDArray[np.int32]

_ENDING = ".postings.parquet"
_SCHEMA = pa.schema([("term", pa.int64()), ("rows", pa.list_(pa.int32())), ("counts", pa.list_(pa.int32()))])


@dataclass(frozen=True)
class Postings:
    """Some terms of one shard.

    `terms` are ascending. Of term i the entries `starts[i]` to `starts[i + 1]` of `rows` (ascending rows of the
    shard) and `counts` (how often it stands there) hold; `lengths` is the number of words of every row of the shard.
    """

    terms: Int64
    starts: Int64
    rows: Int32
    counts: Int32
    lengths: Int64


@dataclass(frozen=True)
class Statistics:
    """What BM25 must know of everything that is searched, whole numbers all: they add up over shards in any order.

    `holding` is the number of documents with each of some terms.
    """

    documents: int
    words: int
    holding: Int64


def write_postings(shard: str, terms: pa.Array, counts: pa.Array) -> None:
    """Writes what the rows of a shard hold (`terms.terms_of`), grouped by term, beside the shard's file."""
    flat = np.asarray(terms.flatten(), np.int64)
    rows = np.asarray(pc.list_parent_indices(terms), np.int32)
    # Stable, so that the rows of a term ascend.
    order = np.argsort(flat, kind="stable")
    unique, starts = np.unique(flat[order], return_index=True)
    offsets = pa.array(np.append(starts, len(flat)).astype(np.int32))
    numbers = np.asarray(counts.flatten(), np.int32)[order]
    lists = [pa.ListArray.from_arrays(offsets, pa.array(values)) for values in (rows[order], numbers)]
    table = pa.table([pa.array(unique), *lists], schema=_SCHEMA)
    lengths = np.bincount(rows, weights=np.asarray(counts.flatten()), minlength=len(terms)).astype(np.int64)
    # The lengths stand in a file of their own, which is read for every block of queries before anything is scored.
    for path, written in ((_path(shard), table), (_path(shard, "lengths"), pa.table({"length": lengths}))):
        with files.open_write(path) as file:
            pq.write_table(written, file, compression="lz4", use_dictionary=False, row_group_size=1 << 20)


def statistics(shards: Sequence[str], wanted: Int64) -> Statistics:
    """Returns the statistics of all shards of a scope for some terms, which ascend."""
    documents = words = 0
    holding = np.zeros(len(wanted), np.int64)
    for shard in shards:
        lengths = _read(_path(shard, "lengths"), "length")["length"]
        documents += len(lengths)
        words += pc.sum(lengths).as_py() or 0
        columns = _read(_path(shard), "term", "rows")
        places, found = _places(columns["term"], wanted)
        lists = np.asarray(pc.list_value_length(columns["rows"]), np.int64)
        holding[found] += lists[places]
    return Statistics(documents, words, holding)


def read_postings(shard: str, wanted: Int64) -> Postings:
    """Returns those of the wanted terms, which ascend, that a shard holds."""
    columns = _read(_path(shard), "term", "rows", "counts")
    places, found = _places(columns["term"], wanted)
    rows, counts = (columns[name].take(pa.array(places)) for name in ("rows", "counts"))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.asarray(pc.list_value_length(rows), np.int64))])
    lengths = np.asarray(_read(_path(shard, "lengths"), "length")["length"], np.int64)
    numbers = [np.asarray(each.flatten(), np.int32) for each in (rows, counts)]
    return Postings(wanted[found], starts, numbers[0], numbers[1], lengths)


def _places(terms: pa.Array, wanted: Int64) -> tuple[Int64, Int64]:
    """Returns where the wanted terms that are there stand, and which of the wanted ones they are."""
    held = np.asarray(terms, np.int64)
    places = np.searchsorted(held, wanted)
    there = np.zeros(len(wanted), np.bool_)
    inside = places < len(held)
    there[inside] = held[places[inside]] == wanted[inside]
    return places[there].astype(np.int64), np.flatnonzero(there).astype(np.int64)


def _path(shard: str, what: str = "") -> str:
    return shard.removesuffix(".parquet") + (f".{what}" if what else "") + _ENDING


def _read(path: str, *names: str) -> dict[str, pa.Array]:
    with files.open_read(path) as file, pq.ParquetFile(file) as parquet:
        table = parquet.read(columns=list(names))
    return {name: pa.chunked_array(table.column(name)).combine_chunks() for name in names}
