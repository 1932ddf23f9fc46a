"""A corpus for mining that is made on disk, block by block: tables as if ingest and embed had run, and their vectors.

Documents are points in space, in clusters of near neighbours; a query lies near a document, which is its positive.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.embeddings.store import VectorStore, bucket_of_key, vector_key
from oreline.encoders.identity import EncoderIdentity, identity
from oreline.fingerprint import inputs_of
from oreline.ids import Tally
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Recipe, Source
from oreline.records import Query
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Books, Manifest, read_manifest, write_manifest
from oreline.tables.schema import table_schema

DATASET = "made"
_BLOCK = 65_536
_BUCKETS = 16
_CENTRES = 4_096

Float32 = npt.NDArray[np.float32]


def recipe_of(output: Path, **sections: object) -> Recipe:
    """Returns the recipe of a made corpus, whose source is not read."""
    source = Source(path=str(output), dataset=DATASET)
    return Recipe.model_validate({"output": str(output), "sources": [source], **sections})


def make(recipe: Recipe, documents: int, queries: int) -> None:
    """Writes tables and vectors of so many documents and queries, unless that corpus is there; memory: one block."""
    inputs = inputs_of(recipe, BY_NAME["mine"])
    encoder = identity(recipe.encoder)
    made = f"{documents} documents, {queries} queries, encoder {encoder.digest}"
    manifests = [read_manifest(recipe.output, stage) for stage in inputs.values()]
    if all(each is not None and each.fingerprint == made for each in manifests):
        return
    draw = np.random.default_rng(1)
    centres = draw.standard_normal((_CENTRES, encoder.dimension), dtype=np.float32)
    positives = np.sort(draw.choice(documents, queries))
    near = np.empty((queries, encoder.dimension), np.float32)
    writers = {table: StageWriter(Job(recipe.output, stage, recipe, {})) for table, stage in inputs.items()}
    for start, stop in _blocks(documents):
        points = centres[draw.integers(0, _CENTRES, stop - start)]
        points += draw.standard_normal(points.shape, dtype=np.float32)
        names = [f"{DATASET}/{number:09}" for number in range(start, stop)]
        writers["documents"].arrow("documents", _documents(names))
        _embed(recipe, encoder, writers["vectors"], "document", names, points)
        first, last = np.searchsorted(positives, [start, stop])
        near[first:last] = points[positives[first:last] - start]
    for start, stop in _blocks(queries):
        points = near[start:stop] + 0.7 * draw.standard_normal((stop - start, encoder.dimension), dtype=np.float32)
        names = [f"{DATASET}/q{number:09}" for number in range(start, stop)]
        rows = zip(names, _hashes(names), strict=True)
        writers["queries"].rows("queries", (Query(name, DATASET, f"query {name}", digest) for name, digest in rows))
        writers["pairs"].arrow(
            "pairs", _pairs(names, [f"{DATASET}/{number:09}" for number in positives[start:stop].tolist()])
        )
        _embed(recipe, encoder, writers["vectors"], "query", names, points)
    for stage in sorted(set(inputs.values())):
        _commit(recipe, made, stage, {table: writers[table] for table, source in inputs.items() if source == stage})


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK))


def _documents(names: Sequence[str]) -> pa.Table:
    hashes = _hashes(names)
    return _table(
        "documents",
        len(names),
        {
            "doc_id": names,
            "text": [f"text of {name}" for name in names],
            "content": ["text"] * len(names),
            "origin": ["source"] * len(names),
            "searchable": [True] * len(names),
            "content_hash": hashes,
            "text_hash": hashes,
        },
    )


def _pairs(names: Sequence[str], positives: Sequence[str]) -> pa.Table:
    same = {"label": ["positive"] * len(names), "source": ["human"] * len(names)}
    return _table("pairs", len(names), {"query_id": names, "doc_id": positives, **same})


def _hashes(names: Sequence[str]) -> list[str]:
    return [hashlib.sha256(name.encode()).hexdigest() for name in names]


def _table(table: str, rows: int, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """Returns rows of a table; columns that are not named are null."""
    schema = table_schema(table)
    given = {"dataset": [DATASET] * rows, **columns}
    return pa.table(
        [
            pa.array(given[field.name], field.type) if field.name in given else pa.nulls(rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


def _embed(  # noqa: PLR0917 - vectors and where they go
    recipe: Recipe, encoder: EncoderIdentity, writer: StageWriter, side: str, names: Sequence[str], points: Float32
) -> None:
    vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float16)
    keys = [vector_key(encoder.digest, name) for name in names]
    writer.arrow(
        "vectors", _table("vectors", len(names), {"id": names, "side": [side] * len(names), "vector_key": keys})
    )
    store = VectorStore(recipe.cache_folder, encoder.digest, encoder.dimension)
    buckets = np.array([bucket_of_key(key, _BUCKETS) for key in keys])
    for bucket in np.unique(buckets).tolist():
        rows = np.flatnonzero(buckets == bucket)
        store.write(bucket, _BUCKETS, [keys[row] for row in rows.tolist()], vectors[rows])


def _commit(recipe: Recipe, made: str, stage: str, writers: Mapping[str, StageWriter]) -> None:
    tables = {table: writer.close().parts for table, writer in writers.items()}
    now = "2026-01-01T00:00:00Z"
    write_manifest(recipe.output, Manifest(stage, 1, made, {}, tables, Books(Tally(), Tally()), {}, {}, now))
