"""The steps of embed around the encoder: texts into ranges of keys, ranges into blocks, blocks into rows."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.utils.windowed_value import WindowedValue

from oreline.embeddings.blocks import BlockReference, prepare, read_block
from oreline.embeddings.store import VectorStore, bucket_count, bucket_of_key
from oreline.embeddings.texts import DOCUMENT_COLUMNS, QUERY_COLUMNS, rendered
from oreline.encoders.identity import EncoderIdentity, identity
from oreline.encoders.prefixes import prefixes_of
from oreline.job import Job, StageWriter
from oreline.records import Reject, VectorRow
from oreline.shuffle import Scatter, gather
from oreline.stages.wiring import decode_row_group


class _Encoding(beam.DoFn):
    """What the steps share: the job and the encoder's identity, found on the worker."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        """Finds the encoder and cuts the keys into ranges by the number of texts."""
        self._encoder: EncoderIdentity = identity(self._job.recipe.encoder)
        rows = sum(part.rows for table in ("documents", "queries") for part in self._job.parts(table))
        self._buckets = bucket_count(rows)

    def _store(self) -> VectorStore:
        return VectorStore(self._job.recipe.cache_folder, self._encoder.digest, self._encoder.dimension)


class RenderTexts(_Encoding):
    """Renders the rows of a reference and spreads them over the ranges of keys."""

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (range, reference) for the texts of one row group."""
        reference = decode_row_group(element)
        columns = DOCUMENT_COLUMNS if reference.table == "documents" else QUERY_COLUMNS
        prefixes = prefixes_of(self._job.recipe.encoder, self._encoder.folder)
        texts = rendered(reference.table, self._job.read(reference, columns), prefixes, self._encoder.digest)
        scatter = Scatter(self._job, "texts")
        keys = [bucket_of_key(key, self._buckets) for key in texts.column("key").to_pylist()]
        yield from scatter.write(keys, texts)
        yield from scatter.close()


class PrepareBlocks(_Encoding):
    """Writes the texts of a range as blocks."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields a reference per block."""
        bucket, references = element
        texts = gather(references)["texts"]
        for block in prepare(self._job, self._store(), bucket, self._buckets, texts):
            yield block.encode()


class WriteVectors(_Encoding):
    """Writes the rows of encoded blocks; a text without a vector is dropped."""

    def start_bundle(self) -> None:
        """Opens the writer of this bundle."""
        self._writer = StageWriter(self._job)
        self._stopped = False

    def process(self, element: bytes) -> None:
        """Writes the rows of one block."""
        reference = BlockReference.decode(element)
        if reference.stopped or self._stopped:
            self._stopped = True
            return
        write_block(self._writer, reference, self._store())

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Yields the report."""
        for name, value in self._encoder.facts().items():
            self._writer.fact(name, value)
        message = "interrupted; vectors encoded so far are kept" if self._stopped else None
        report = self._writer.close(stopped="interrupted" if self._stopped else None, message=message)
        yield beam.transforms.window.GlobalWindows.windowed_value(report.encode())


def write_block(writer: StageWriter, reference: BlockReference, store: VectorStore) -> None:
    """Writes what became of a block's texts: rows of `vectors`, or rejects."""
    rows = read_block(reference).to_pylist()
    present = store.present({row["key"] for row in rows})
    kept = [row for row in rows if row["key"] in present and not row["blank"]]
    writer.rows("vectors", [VectorRow(row["id"], row["side"], row["key"]) for row in kept])
    writer.kept(row["id"] for row in kept)
    for row in rows:
        if row["blank"] or row["key"] not in present:
            detail = (
                "there is nothing but white space to encode"
                if row["blank"]
                else "the encoder's vector is zero or not finite"
            )
            table = "documents" if row["side"] == "document" else "queries"
            writer.dropped(row["id"], Reject(row["id"], table, "not_encodable", detail, payload=row["text"]))
    encoded = {row["key"] for row in kept if row["text"] is not None}
    writer.count("texts_encoded", len(encoded))
    writer.count("texts_reused", len({row["key"] for row in kept}) - len(encoded))
