"""Thinning: the steps of `select.near_queries`, from selected rows to those that stay, as functions of references."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from oreline import files
from oreline.embeddings.store import VectorStore
from oreline.encoders.devices import threads_of
from oreline.encoders.identity import EncoderIdentity
from oreline.filters.leaders import about, led
from oreline.filters.places import HUMAN, id_at
from oreline.heartbeat import Heartbeat
from oreline.job import Job, StageWriter
from oreline.records import Reject
from oreline.search.corpus import missing_vectors
from oreline.selection import rates
from oreline.selection.aside import REPORT, Piece, packed, read_rows, triples_of, uncount
from oreline.selection.query_vectors import pairs_of_blocks, with_vectors, write_edges
from oreline.stages.catalog import stage_workers
from oreline.tables.reading import open_parquet

_STOPPED = "select was stopped; it starts over"


@dataclass(frozen=True)
class Thinning:
    """The steps of one job."""

    job: Job

    def pack(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields the blocks of each scope under a key."""
        scopes: dict[str, list[Piece]] = {}
        for encoded in keyed[1]:
            piece = Piece.decode(encoded)
            scopes.setdefault(piece.scope, []).append(piece)
        for _, pieces in sorted(scopes.items()):
            for block in packed(pieces):
                yield block.encode()

    def look_up(self, encoded: bytes, encoder: EncoderIdentity) -> Iterator[tuple[int, bytes]]:
        """Yields a block with its vectors under its scope; a report of failure if the store lacks some."""
        if self.job.stop_requested():
            return
        store = VectorStore(self.job.recipe.cache_folder, encoder.digest, encoder.dimension)
        block, missing = with_vectors(self.job, store, Piece.decode(encoded))
        if missing:
            message = missing_vectors(self.job, store, missing)
            yield REPORT, StageWriter(self.job).close(failure="missing_vectors", message=message).encode()
        else:
            yield block.key, block.encode()

    def pair_up(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields all pairs of blocks of each scope under a key."""
        scopes: dict[str, list[bytes]] = {}
        for encoded in keyed[1]:
            scopes.setdefault(Piece.decode(encoded).scope, []).append(encoded)
        for _, blocks in sorted(scopes.items()):
            yield from pairs_of_blocks(blocks)

    def compare(self, encoded: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields the path of a pair of blocks' near queries under its scope, if any are; none once the user stopped."""
        settings = self.job.recipe.select.near_queries
        if settings is None or self.job.stop_requested():
            return
        torch.set_num_threads(threads_of(self.job.recipe.encoder, stage_workers(self.job.recipe, self.job.stage)))
        one, other = (Piece.decode(each.encode()) for each in json.loads(encoded))
        path = write_edges(self.job, one, other, settings.cosine)
        if path is not None:
            yield one.key, path.encode()

    def lead(self, keyed: tuple[int, Iterable[bytes]]) -> tuple[int, bytes]:
        """Returns the path of the queries that go, of the scopes under a key, under that key."""
        settings = self.job.recipe.select.near_queries
        staying = None if settings is not None and settings.human else HUMAN
        edges = []
        for written in sorted(keyed[1]):
            with open_parquet(written.decode()) as parquet:
                edges.append(parquet.read())
        path = self.job.scratch("led") + ".parquet"
        with files.open_write(path) as file:
            pq.write_table(led(edges, staying=staying), file, row_group_size=1_000_000)
        return keyed[0], path.encode()

    def finish(self, encoded: bytes, decisions: Iterable[tuple[int, bytes]]) -> bytes:
        """Writes the rows of a block that stay, drops the others, and returns the report."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            return writer.close(stopped="interrupted", message=_STOPPED).encode()
        piece = Piece.decode(encoded)
        rows = read_rows(piece)
        gone = about((path for key, path in decisions if key == piece.key), rows.column("place"))
        goes = pc.is_in(rows.column("place"), gone.column("row").combine_chunks())
        kept = triples_of(rows.filter(pc.invert(goes)))
        writer.arrow("triples", kept)
        writer.kept(kept.column("query_id").to_pylist())
        told = {row["row"]: row for row in gone.to_pylist()}
        for row in rows.filter(goes).select(["place", "query", "dataset", "task", "lang"]).to_pylist():
            writer.dropped(id_at(row["place"]), _reject(told[row["place"]], row["query"]))
            rates.tally(writer, row["dataset"], row["task"], row["lang"], "dropped")
        uncount(writer, rows.filter(goes))
        heartbeat = Heartbeat(self.job)
        heartbeat.add(rows.num_rows)
        heartbeat.flush()
        return writer.close().encode()


def _reject(decided: dict[str, object], query: str) -> Reject:
    keeper = id_at(str(decided["leader"]))
    detail = (
        f"cosine {decided['similarity']:.4f} with {keeper}; cluster of {decided['members']:,} queries kept as {keeper}"
    )
    return Reject(id_at(str(decided["row"])), "triples", "near_query", detail, keeper, query)
