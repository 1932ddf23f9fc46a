"""The corpus on disk as mining reads it: shards with ids, vectors and tags, made once per run of the stage."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.embeddings.store import VectorStore
from oreline.job import Job
from oreline.recipe.settings.mine import BM25, DENSE
from oreline.search.further import FURTHER, MissingVectors, further_keys, write_further
from oreline.search.postings import write_postings
from oreline.search.scores import Float16, Int64
from oreline.search.shards import Shard
from oreline.search.tags import TAG, TagIndex, described, document_tags
from oreline.search.terms import COUNTS, TERMS, terms_of

ALL = ""
"""The scope of a search that is not bound to a dataset."""

SHARD_ROWS = 65_536
MOST_PAIRS = 4_194_304
"""Pairs of a query and a document left out that are held at once: 16 bytes each, and some more to find them."""

LISTED_SCHEMA = pa.schema(
    [
        ("scope", pa.string()),
        ("doc_id", pa.string()),
        ("vector_key", pa.string()),
        ("others", FURTHER),
        ("tags", pa.list_(TAG)),
    ]
)
TERMED_SCHEMA = pa.schema([*LISTED_SCHEMA, ("terms", TERMS), ("counts", COUNTS)])
"""What is listed where BM25 searches too: the terms of title and text."""


@dataclass(frozen=True)
class ShardReference:
    """Where a shard is; `failure` says why it could not be made."""

    scope: str
    path: str
    failure: str | None = None

    def encode(self) -> bytes:
        """Returns the reference as it crosses an edge."""
        return json.dumps([self.scope, self.path, self.failure]).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "ShardReference":
        """Reads what `encode` wrote."""
        return cls(*json.loads(encoded))


def scope_of(within: str | list[str], dataset: str) -> str:
    """Returns what is searched for a query of a dataset: the dataset, or one common scope."""
    return dataset if within == "dataset" else ALL


def vector_rows(job: Job, ids: Iterable[str], side: str) -> pa.Table:
    """Returns id, vector_key and others of the documents or queries among `ids` that have vectors."""
    rows = job.lookup("vectors", "id", ids, ["id", "side", "vector_key", "others"])
    return rows.filter(pc.equal(rows.column("side"), side))


def vector_keys(job: Job, ids: Iterable[str], side: str) -> dict[str, str]:
    """Returns the reference encoder's keys of documents or queries, by id; one that embed dropped has none."""
    rows = vector_rows(job, ids, side)
    return dict(zip(rows.column("id").to_pylist(), rows.column("vector_key").to_pylist(), strict=True))


def listed(job: Job, documents: pa.Table) -> pa.Table:
    """Returns the searchable documents of a row group with scope, vector keys and tags (`LISTED_SCHEMA`).

    Where BM25 searches, their terms stand beside that (`TERMED_SCHEMA`). There, and where candidates are imported,
    `documents` has a column `title` too.
    """
    within = job.recipe.mine.within
    chosen = [each for each in described(documents) if each.searchable]
    if isinstance(within, list):
        chosen = [each for each in chosen if each.dataset in within]
    vectors = _vectors_of(job, [each.doc_id for each in chosen])
    keys = dict(zip(vectors.column("id").to_pylist(), vectors.column("vector_key").to_pylist(), strict=True))
    others = further_keys(vectors)
    chosen = [each for each in chosen if each.doc_id in keys]
    titles = _titles(documents)
    # Only imported candidates may name a document by title and text in one.
    titled = titles if job.recipe.runs() else {}
    rows = pa.table(
        {
            "scope": [scope_of(within, each.dataset) for each in chosen],
            "doc_id": [each.doc_id for each in chosen],
            "vector_key": [keys[each.doc_id] for each in chosen],
            "others": [others.get(each.doc_id) for each in chosen],
            "tags": [document_tags(each, titled.get(each.doc_id)) for each in chosen],
        },
        schema=LISTED_SCHEMA,
    )
    if BM25 not in job.recipe.mine.miners:
        return rows
    terms, counts = terms_of([f"{titles.get(each.doc_id) or ''} {each.text}" for each in chosen])
    return pa.table([*rows.columns, terms, counts], schema=TERMED_SCHEMA)


def _vectors_of(job: Job, ids: list[str]) -> pa.Table:
    """Returns rows of vectors; where a file is the reference none is needed, and all documents are searched."""
    if job.recipe.mine.reference == DENSE:
        return vector_rows(job, ids, "document")
    empty = pa.nulls(len(ids), pa.string())
    return pa.table({"id": pa.array(ids, pa.string()), "vector_key": empty, "others": pa.nulls(len(ids), FURTHER)})


def _titles(documents: pa.Table) -> dict[str, str | None]:
    if "title" not in documents.column_names:
        return {}
    names = (documents.column(name).to_pylist() for name in ("doc_id", "title"))
    return dict(zip(*names, strict=True))


def write_shards(
    job: Job, store: VectorStore, rows: pa.Table, further: Mapping[str, VectorStore] = MappingProxyType({})
) -> Iterator[ShardReference]:
    """Writes documents (as `listed` gives them) with their vectors, one shard per scope; with terms, postings too.

    `further` are the stores of further encoders by miner; each one's vectors get a file of their own beside the shard.
    """
    for scope in sorted(set(rows.column("scope").to_pylist())):
        mine = rows.filter(pc.equal(rows.column("scope"), scope)).sort_by("doc_id")
        keys = mine.column("vector_key").to_pylist()
        vectors, found = store.lookup(keys)
        if not found.all():
            yield ShardReference(scope, "", missing_vectors(job, store, int((~found).sum())))
            continue
        block = np.ascontiguousarray(vectors.astype("<f2"))
        column = pa.Array.from_buffers(pa.binary(2 * block.shape[1]), len(keys), [None, pa.py_buffer(block)])
        table = mine.select(["doc_id", "tags"]).append_column("vector", column)
        path = job.scratch("shard") + ".parquet"
        with files.open_write(path) as file:
            pq.write_table(table, file, compression="none", use_dictionary=False, row_group_size=max(1, len(keys)))
        if "terms" in mine.column_names:
            write_postings(path, *(mine.column(name).combine_chunks() for name in ("terms", "counts")))
        try:
            write_further(path, mine.column("others"), further)
        except MissingVectors as missing:
            yield ShardReference(scope, "", missing_vectors(job, missing.store, missing.number))
            continue
        yield ShardReference(scope, path)


def missing_vectors(job: Job, store: VectorStore, number: int) -> str:
    """Returns the sentence of a failure: embed's rows name vectors that the store does not have."""
    damaged = f" ({', '.join(store.damaged)} cannot be read)" if store.damaged else ""
    folder = files.join(job.output, job.inputs["vectors"])
    return (
        f"{number} vectors that {folder} lists are not in {job.recipe.cache_folder}{damaged}; "
        f"delete {folder} and run again: what is missing is encoded anew"
    )


class Corpus:
    """The shards of one scope, with an order over their ids and over `others`, ids that are asked for besides.

    `order_of` gives a number per id; ids sort as their UTF-8 bytes do, and so do their numbers.
    """

    def __init__(self, references: Sequence[ShardReference], others: Sequence[str], dimension: int) -> None:
        self._paths = sorted(reference.path for reference in references)
        self._dimension = dimension
        ids = [column_of(path, "doc_id") for path in self._paths]
        self._own = pa.chunked_array(ids, pa.string()).combine_chunks()
        self._sorted = pc.unique(pa.chunked_array([self._own, pa.array(others, pa.string())])).sort()
        self._orders = [self.order_of(each) for each in ids]

    @property
    def paths(self) -> Sequence[str]:
        """The files of the shards."""
        return self._paths

    def order_of(self, ids: pa.Array) -> Int64:
        """Returns the order of ids that are in the corpus or among the others."""
        return np.asarray(pc.index_in(ids, value_set=self._sorted), np.int64)

    def known(self, ids: pa.Array) -> Int64:
        """Returns the order of ids, -1 for those that are neither in the corpus nor among the others."""
        return np.asarray(pc.fill_null(pc.index_in(ids, value_set=self._sorted), -1), np.int64)

    def ids_of(self, order: Int64) -> pa.Array:
        """Returns the ids at some places of the order."""
        return self._sorted.take(pa.array(order))

    def holds(self, ids: pa.Array) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        """Says for each id whether it is searched."""
        return np.asarray(pc.is_in(ids, value_set=self._own), np.bool_)

    def files(self, paths: Sequence[str] | None = None) -> Iterator[tuple[str, Int64]]:
        """Yields the file of each shard, and the order of its rows; of all, or those named, as they are named."""
        if paths is None:
            return zip(self._paths, self._orders, strict=True)
        order_of = dict(zip(self._paths, self._orders, strict=True))
        return ((path, order_of[path]) for path in paths)

    def shards(
        self, *left_out: TagIndex, most: int = MOST_PAIRS, paths: Sequence[str] | None = None
    ) -> Iterator[Shard]:
        """Yields the parts of all shards, or of those named, as `files` does."""
        return (shard for _, _, shard in self.parts(*left_out, most=most, paths=paths))

    def parts(
        self, *left_out: TagIndex, most: int = MOST_PAIRS, paths: Sequence[str] | None = None
    ) -> Iterator[tuple[str, int, Shard]]:
        """Yields (file, first row, shard), one shard in memory at a time, with the pairs that each index leaves out.

        A shard is cut where its pairs would be more than `most`: with two classes half of all pairs are left out.
        """
        for path, order in self.files(paths):
            tags, vectors = column_of(path, "tags"), self._vectors(path)
            pairs = sum((index.pairs(tags) for index in left_out), np.zeros(len(tags) + 1, np.int64))
            for start, stop in cuts(pairs, most):
                some = tags.slice(start, stop - start)
                pairs_left_out = tuple(index.match(some) for index in left_out)
                yield path, start, Shard(vectors[start:stop], order[start:stop], pairs_left_out)

    def _vectors(self, path: str) -> Float16:
        column = column_of(path, "vector")
        width = 2 * self._dimension
        values = np.frombuffer(column.buffers()[1], np.uint8)
        # A copy, as torch takes no memory that it may not write.
        return (
            values[column.offset * width : (column.offset + len(column)) * width]
            .copy()
            .view("<f2")
            .reshape(-1, self._dimension)
        )


def cuts(pairs: Int64, most: int) -> Iterator[tuple[int, int]]:
    """Yields the parts, start and stop, of a shard: as few as leave each at most `most` pairs.

    `pairs` is the number before each row, and at its end that of all rows. A row with more is a part by itself; an
    empty shard is one part.
    """
    rows = len(pairs) - 1
    start = 0
    while start < rows:
        reached = int(np.searchsorted(pairs, pairs[start] + most, side="right")) - 1
        stop = max(start + 1, min(reached, rows))
        yield start, stop
        start = stop
    if rows == 0:
        yield 0, 0


def column_of(path: str, name: str) -> pa.Array:
    """Returns a column of a shard's file."""
    with files.open_read(path) as file, pq.ParquetFile(file) as parquet:
        column = parquet.read(columns=[name]).column(name).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
