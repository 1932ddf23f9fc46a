"""The steps of mine: documents into shards, queries into blocks, and a rectangle of both into candidates."""

import hashlib
from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import torch

from oreline.embeddings.store import VectorStore
from oreline.encoders.identity import EncoderIdentity, identity
from oreline.encoders.loaded import threads_of
from oreline.encoders.precision import on_gpu
from oreline.heartbeat import Heartbeat
from oreline.ids import bucket_of
from oreline.job import Job, Report, StageWriter
from oreline.search.candidates import bare
from oreline.search.corpus import (
    SHARD_ROWS,
    Corpus,
    ShardReference,
    listed,
    missing_vectors,
    scope_of,
    write_shards,
)
from oreline.search.mining import mine
from oreline.search.questions import QUERY_COLUMNS, MissingVectors, questions
from oreline.search.tags import DOCUMENT_COLUMNS
from oreline.shuffle import Scatter, gather
from oreline.stages.catalog import stage_workers
from oreline.stages.wiring import decode_row_group

BLOCK_QUERIES = 4_096
"""About how many queries share one pass over the corpus."""


class _Mining(beam.DoFn):
    """What the steps share: the job and the encoder's identity, found on the worker."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        """Finds the encoder whose vectors are searched."""
        self._encoder: EncoderIdentity = identity(self._job.recipe.encoder)

    def _store(self) -> VectorStore:
        return VectorStore(self._job.recipe.cache_folder, self._encoder.digest, self._encoder.dimension)

    def _scatter(self, tag: str, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Reads a row group and spreads its rows by scope and hash of the id; how finely changes no result."""
        reference = decode_row_group(element)
        if tag == "documents":
            titles = ("title",) if "bm25" in self._job.recipe.mine.miners else ()
            rows = listed(self._job, self._job.read(reference, (*DOCUMENT_COLUMNS, *titles)))
            scopes, ids, size = rows.column("scope").to_pylist(), rows.column("doc_id").to_pylist(), SHARD_ROWS
        else:
            rows = self._job.read(reference, QUERY_COLUMNS)
            within = self._job.recipe.mine.within
            scopes = [scope_of(within, dataset) for dataset in rows.column("dataset").to_pylist()]
            ids, size = rows.column("query_id").to_pylist(), BLOCK_QUERIES
        total = sum(part.rows for part in self._job.parts(tag))
        ranges = -(-total // size)
        scatter = Scatter(self._job, tag)
        keys = [_key(scope, bucket_of(own_id, ranges)) for scope, own_id in zip(scopes, ids, strict=True)]
        yield from scatter.write(keys, rows)
        yield from scatter.close()


class ListDocuments(_Mining):
    """Lists the documents that are searched, with vector keys and tags."""

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (shard, reference)."""
        yield from self._scatter("documents", element)


class WriteShards(_Mining):
    """Writes shards with their vectors."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields references to shards."""
        rows = gather(element[1])["documents"]
        for reference in write_shards(self._job, self._store(), rows):
            yield reference.encode()


class ListQueries(_Mining):
    """Spreads queries over blocks."""

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (block, reference)."""
        yield from self._scatter("queries", element)


class MineBlocks(_Mining):
    """Mines a block of queries: the rectangle of its queries and all shards of its scope."""

    def process(self, element: tuple[int, Iterable[bytes]], shards: Iterable[bytes]) -> Iterator[bytes]:
        """Yields a report per block."""
        rows = gather(element[1])["queries"]
        references = [ShardReference.decode(each) for each in shards]
        broken = [each.failure for each in references if each.failure is not None]
        if broken:
            yield Report(failure="missing_vectors", message=broken[0]).encode()
            return
        recipe = self._job.recipe
        torch.set_num_threads(threads_of(recipe.encoder, stage_workers(recipe, self._job.stage)))
        writer = StageWriter(self._job)
        writer.fact("encoder", self._encoder.digest)
        heartbeat = Heartbeat(self._job)
        scopes = [scope_of(recipe.mine.within, dataset) for dataset in rows.column("dataset").to_pylist()]
        for scope in sorted(set(scopes)):
            if self._job.stop_requested():
                yield writer.close(stopped="interrupted", message="interrupted; mine starts again next time").encode()
                return
            chosen = rows.filter(pa.array([each == scope for each in scopes]))
            store = self._store()
            try:
                mined = self._mine(writer, store, chosen, [each for each in references if each.scope == scope])
            except MissingVectors as missing:
                message = missing_vectors(self._job, store, missing.number)
                yield writer.close(failure="missing_vectors", message=message).encode()
                return
            writer.arrow("candidates", mined)
            writer.kept(mined.column("query_id").to_pylist())
            heartbeat.add(mined.num_rows)
        heartbeat.flush()
        yield writer.close().encode()

    def _mine(self, writer: StageWriter, store: VectorStore, rows: pa.Table, shards: list[ShardReference]) -> pa.Table:
        """Returns candidates for every query of one scope; without a vector they have nothing in them."""
        block = questions(self._job, store, rows)
        corpus = Corpus(shards, block.asked.doc_ids, self._encoder.dimension)
        encoder = self._job.recipe.encoder
        device = encoder.device if encoder.device != "auto" else ("cuda" if on_gpu(encoder) else "cpu")
        mined = mine(block, corpus, self._job.recipe.mine, device)
        asked = set(block.query_ids)
        unasked = sorted(set(rows.column("query_id").to_pylist()) - asked)
        lonely = pc.sum(pc.equal(pc.list_value_length(mined.candidates.column("positives")), 0)).as_py() or 0
        writer.count("queries_without_vector", len(unasked))
        writer.count("queries_without_positive", lonely)
        writer.count("labelled_documents_without_vector", block.unknown)
        writer.count("lists_scored_twice", mined.rescored)
        for miner, number in mined.alone.items():
            writer.count(f"documents_that_only_{miner}_found", number)
        return pa.concat_tables([mined.candidates, bare(unasked)])


def _key(scope: str, number: int) -> int:
    """Returns a key for (scope, range); scopes that share one are told apart where it is used."""
    digest = hashlib.blake2b(f"{scope}\0{number}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")
