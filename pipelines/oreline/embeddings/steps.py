"""The steps of embed around the encoders: texts into ranges of keys, ranges into blocks, blocks into rows."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.utils.windowed_value import WindowedValue

from oreline.embeddings.blocks import BlockReference, Range, prepare, read_block, read_notes
from oreline.embeddings.listing import listed, unknown, vector_rows
from oreline.embeddings.statistics import STORES, statistics
from oreline.embeddings.store import VectorStore, bucket_count, bucket_of_key
from oreline.embeddings.texts import DOCUMENT_COLUMNS, QUERY_COLUMNS, rendered
from oreline.encoders.devices import block_texts
from oreline.encoders.identity import EncoderIdentity, identity
from oreline.encoders.prefixes import prefixes_of
from oreline.ids import Json, bucket_of
from oreline.job import Job, Report, StageWriter
from oreline.recipe.settings.mine import DENSE
from oreline.records import Reject
from oreline.shuffle import Scatter, gather
from oreline.stages.wiring import decode_row_group

JOINED_ROWS = 65_536
"""About how many texts are joined over all their encoders at once."""

_REPORT = -1
"""The key of reports about blocks; no range has it."""

_BITS = 8
"""A range of keys is the first bits of their hash, at most so many."""


class _Encoding(beam.DoFn):
    """What the steps share: the job and the encoders' identities, found on the worker."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        """Finds the encoders and counts the texts."""
        settings = self._job.recipe.encoders()
        self._encoders: dict[str, EncoderIdentity] = {name: identity(each) for name, each in settings.items()}
        self._texts = sum(part.rows for table in ("documents", "queries") for part in self._job.parts(table))

    def _store(self, encoder: str) -> VectorStore:
        known = self._encoders[encoder]
        return VectorStore(self._job.recipe.cache_folder, known.digest, known.dimension)


def _range_key(encoder: int, bucket: int, buckets: int) -> int:
    """Returns the key of a range. It holds all that says which range it is, as workers may count theirs differently."""
    return (encoder * (_BITS + 1) + buckets.bit_length() - 1 << _BITS) + bucket


def _range_of(key: int) -> tuple[int, int, int]:
    """Returns (encoder, bucket, buckets) of a range's key."""
    rest, bucket = divmod(key, 1 << _BITS)
    encoder, bits = divmod(rest, _BITS + 1)
    return encoder, bucket, 1 << bits


class RenderTexts(_Encoding):
    """Renders the rows of a reference for every encoder and spreads them over the encoders' ranges of keys."""

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (encoder and range, reference) for the texts of one row group."""
        reference = decode_row_group(element)
        columns = DOCUMENT_COLUMNS if reference.table == "documents" else QUERY_COLUMNS
        rows = self._job.read(reference, columns)
        scatter = Scatter(self._job, "texts")
        settings = self._job.recipe.encoders()
        for place, (name, encoder) in enumerate(self._encoders.items()):
            prefixes = prefixes_of(settings[name], encoder.folder)
            texts = rendered(reference.table, rows, prefixes, encoder.digest)
            buckets = bucket_count(self._texts, block_texts(settings[name]))
            keys = [bucket_of_key(key, buckets) for key in texts.column("key").to_pylist()]
            yield from scatter.write([_range_key(place, key, buckets) for key in keys], texts)
        yield from scatter.close()


class PrepareBlocks(_Encoding):
    """Writes the texts of an encoder's range as blocks."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields a reference per block."""
        place, bucket, buckets = _range_of(element[0])
        name = list(self._encoders)[place]
        texts = gather(element[1])["texts"]
        rows = 2 * block_texts(self._job.recipe.encoders()[name])
        for block in prepare(self._job, self._store(name), Range(name, bucket, buckets, rows), texts):
            yield block.encode()


class ListVectors(_Encoding):
    """Looks up what became of the texts of encoded blocks, and spreads it by a hash of their ids."""

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (range of ids, reference), and what is to be reported of the block."""
        reference = BlockReference.decode(element)
        notes = read_notes(reference)
        prefix = "" if reference.encoder == DENSE else f"{reference.encoder}: "
        if notes.ended or notes.facts:
            facts: dict[str, Json] = {prefix + name: value for name, value in notes.facts.items()}
            told = Report(facts=facts, stopped=notes.stopped, failure=notes.failure, message=notes.message)
            yield _REPORT, told.encode()
        if notes.ended:
            return
        block = read_block(reference)
        present = self._store(reference.encoder).present(set(block.column("key").to_pylist()))
        texts = listed(block, reference.encoder, present, notes.refused)
        ranges = -(-self._texts // JOINED_ROWS)
        scatter = Scatter(self._job, "listed")
        keys = [bucket_of(own_id, ranges) for own_id in texts.column("id").to_pylist()]
        yield from scatter.write(keys, texts)
        yield from scatter.close()


class WriteVectors(_Encoding):
    """Writes the rows of a range of ids; a text that the reference encoder did not take is dropped."""

    def start_bundle(self) -> None:
        """Opens the writer of this bundle."""
        self._writer = StageWriter(self._job)

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Writes the rows of one range; hands on the reports of blocks."""
        if element[0] == _REPORT:
            yield from element[1]
            return
        if element[0] == 0:  # once is enough: all is encoded by now, so every range would say the same
            self._writer.fact(STORES, {name: statistics(self._store(name).folder).sizes() for name in self._encoders})
        write_rows(self._writer, gather(element[1])["listed"], list(self._encoders))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Yields the report."""
        reference, *further = self._encoders
        for name, value in self._encoders[reference].facts().items():
            self._writer.fact(name, value)
        if further:
            self._writer.fact("encoders", {name: self._encoders[name].facts() for name in further})
        yield beam.transforms.window.GlobalWindows.windowed_value(self._writer.close().encode())


def write_rows(writer: StageWriter, texts: pa.Table, miners: list[str]) -> None:
    """Writes what became of texts (`listing.LISTED_SCHEMA`): rows of `vectors`, or rejects, and counts."""
    rows = vector_rows(texts)
    writer.arrow("vectors", rows)
    writer.kept(rows.column("id").to_pylist())
    lost = texts.filter(pc.and_(pc.equal(texts.column("miner"), DENSE), pc.invert(texts.column("kept"))))
    for row in lost.sort_by([("side", "ascending"), ("id", "ascending")]).to_pylist():
        table = "documents" if row["side"] == "document" else "queries"
        writer.dropped(row["id"], Reject(row["id"], table, "not_encodable", row["why"], payload=row["text"]))
    for miner in miners:
        mine = texts.filter(pc.equal(texts.column("miner"), miner))
        encoded = np.asarray(mine.column("encoded"), np.int64)
        for name, number in (("texts_encoded", (encoded > 0).sum()), ("texts_reused", (encoded < 0).sum())):
            writer.count(name, int(number))
            if len(miners) > 1:
                writer.tally("by_encoder", miner, name, number=int(number))
        if miner != DENSE:
            writer.tally("by_encoder", miner, "texts_without_vector", number=unknown(texts, miner))
