"""The steps of mine: documents into shards, queries into blocks, and a rectangle of both into candidates."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from oreline.embeddings.store import VectorStore
from oreline.encoders.devices import first_device, threads_of
from oreline.encoders.identity import EncoderIdentity, identity
from oreline.heartbeat import Heartbeat
from oreline.job import Job, Report, StageWriter
from oreline.recipe.settings.mine import BM25, DENSE
from oreline.search.approximate.indexing import Indexing
from oreline.search.candidates import bare
from oreline.search.corpus import (
    Corpus,
    ShardReference,
    listed,
    missing_vectors,
    scope_of,
    write_shards,
)
from oreline.search.dense import Searching
from oreline.search.exact import UnfitVector
from oreline.search.further import MissingVectors
from oreline.search.imported.lists import proposals, some
from oreline.search.imported.naming import datasets_of
from oreline.search.imported.spreading import ROW_SCHEMA
from oreline.search.mining import mine
from oreline.search.passes import path_of
from oreline.search.questions import QUERY_COLUMNS, questions
from oreline.search.ranges import REPORT, keys_of_documents, keys_of_queries
from oreline.search.tags import DOCUMENT_COLUMNS
from oreline.search.unfit import UnfitStored, named
from oreline.shuffle import Scatter, gather
from oreline.stages.catalog import stage_workers
from oreline.stages.wiring import decode_row_group


class Listing(beam.DoFn):
    """What the steps share that read no vector: the job."""

    def __init__(self, job: Job) -> None:
        self._job = job


class Mining(Listing):
    """What the others share: the encoders' identities, found on the worker."""

    def setup(self) -> None:
        """Finds the encoders whose vectors are searched."""
        further = dict(self._job.recipe.encoders())
        self._encoder: EncoderIdentity = identity(further.pop(DENSE))
        self._further: dict[str, EncoderIdentity] = {name: identity(each) for name, each in further.items()}
        self._datasets = datasets_of(self._job.recipe) if self._job.recipe.runs() else ()

    def _store(self) -> VectorStore:
        return self._store_of(self._encoder)

    def _stores(self) -> dict[str, VectorStore]:
        return {name: self._store_of(each) for name, each in self._further.items()}

    def _store_of(self, encoder: EncoderIdentity) -> VectorStore:
        return VectorStore(self._job.recipe.cache_folder, encoder.digest, encoder.dimension)


class ListDocuments(Listing):
    """Lists the documents that are searched, with vector keys and tags."""

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (shard, reference)."""
        recipe = self._job.recipe
        titles = ("title",) if BM25 in recipe.mine.miners or recipe.runs() else ()
        rows = listed(self._job, self._job.read(decode_row_group(element), (*DOCUMENT_COLUMNS, *titles)))
        scopes, vectors, ids = (rows.column(name).to_pylist() for name in ("scope", "vector_key", "doc_id"))
        scatter = Scatter(self._job, "documents")
        yield from scatter.write(keys_of_documents(self._job, scopes, vectors, ids), rows)
        yield from scatter.close()


class WriteShards(Mining):
    """Writes shards with their vectors."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields references to shards."""
        rows = gather(element[1])["documents"]
        for reference in write_shards(self._job, self._store(), rows, self._stores()):
            yield reference.encode()


class ListQueries(Listing):
    """Spreads queries over blocks."""

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (block, reference)."""
        rows = self._job.read(decode_row_group(element), QUERY_COLUMNS)
        datasets, ids = (rows.column(name).to_pylist() for name in ("dataset", "query_id"))
        scatter = Scatter(self._job, "queries")
        yield from scatter.write(keys_of_queries(self._job, datasets, ids), rows)
        yield from scatter.close()


class MineBlocks(Mining):
    """Mines a block of queries: the rectangle of its queries and all shards of its scope."""

    def process(
        self,
        element: tuple[int, Iterable[bytes]],
        shards: Iterable[bytes],
        groups: Iterable[bytes] = (),
        outcomes: Iterable[bytes] = (),
    ) -> Iterator[bytes]:
        """Yields a report per block; hands on those about files of candidates.

        `groups` and `outcomes` are of an approximate index, and of measuring its recall.
        """
        if element[0] == REPORT:
            yield from element[1]
            return
        tables = gather(element[1])
        rows, runs = tables["queries"], tables.get("runs", ROW_SCHEMA.empty_table())
        references = [ShardReference.decode(each) for each in shards]
        broken = [each.failure for each in references if each.failure is not None]
        if broken:
            yield Report(failure="missing_vectors", message=broken[0]).encode()
            return
        recipe = self._job.recipe
        indexing = Indexing.of(recipe, groups, outcomes)
        if indexing.failure is not None:
            yield indexing.failure.encode()
            return
        torch.set_num_threads(threads_of(recipe.encoder, stage_workers(recipe, self._job.stage)))
        writer = StageWriter(self._job)
        writer.fact("encoder", self._encoder.digest)
        indexing.tell(writer)
        heartbeat = Heartbeat(self._job)
        device = first_device(recipe.encoder)
        writer.fact("search", path_of(device))
        scopes = [scope_of(recipe.mine.within, dataset) for dataset in rows.column("dataset").to_pylist()]
        for scope in sorted(set(scopes)):
            if self._job.stop_requested():
                yield writer.close(stopped="interrupted", message="interrupted; mine starts again next time").encode()
                return
            chosen = rows.filter(pa.array([each == scope for each in scopes]))
            try:
                searching = Searching(device, indexes=indexing.within(scope))
                shared = [each for each in references if each.scope == scope]
                mined = self._mine(writer, chosen, runs, shared, searching)
            except MissingVectors as missing:
                message = missing_vectors(self._job, missing.store, missing.number)
                yield writer.close(failure="missing_vectors", message=message).encode()
                return
            except UnfitStored as unfit:
                yield writer.close(failure="unfit_vector", message=str(unfit)).encode()
                return
            writer.arrow("candidates", mined)
            writer.kept(mined.column("query_id").to_pylist())
            heartbeat.add(mined.num_rows)
        heartbeat.flush()
        yield writer.close().encode()

    def _mine(
        self,
        writer: StageWriter,
        rows: pa.Table,
        runs: pa.Table,
        shards: list[ShardReference],
        searching: Searching,
    ) -> pa.Table:
        """Returns candidates for every query of one scope; without a vector they have nothing in them."""
        block = questions(self._job, self._store(), rows, self._stores())
        corpus = Corpus(shards, block.asked.doc_ids, self._encoder.dimension)
        recipe = self._job.recipe
        of_these = pc.is_in(runs.column("query_id"), value_set=rows.column("query_id").combine_chunks())
        own = some(runs, np.asarray(of_these, np.bool_))
        imported = proposals(own, block.query_ids, corpus, self._datasets, writer)
        try:
            mined = mine(block, corpus, recipe.mine, searching, imported)
        except UnfitVector as unfit:
            raise UnfitStored(named(unfit, block, corpus)) from unfit
        asked = set(block.query_ids)
        unasked = sorted(set(rows.column("query_id").to_pylist()) - asked)
        lonely = pc.sum(pc.equal(pc.list_value_length(mined.candidates.column("positives")), 0)).as_py() or 0
        writer.count("queries_without_vector", len(unasked))
        writer.count("queries_without_positive", lonely)
        writer.count("labelled_documents_without_vector", block.unknown)
        writer.count("lists_scored_twice", mined.rescored)
        for miner, number in mined.alone.items():
            writer.count(f"documents_that_only_{miner}_found", number)
        for miner, number in mined.left_out.items():
            writer.tally("runs", miner, "positives_or_equal_to_them", number=number)
        return pa.concat_tables([mined.candidates, bare(unasked)])
