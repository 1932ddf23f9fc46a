"""The model handler of Beam's RunInference: an element is a prepared block, its vectors go into the store."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from oreline.embeddings.blocks import INTERRUPTED, BlockReference, Notes, missing, read_block, write_notes
from oreline.embeddings.store import VectorStore
from oreline.embeddings.writer import VectorWriter
from oreline.encoders.devices import threads_of
from oreline.encoders.identity import EncoderIdentity, identity
from oreline.encoders.opening import open_encoder
from oreline.encoders.protocol import TextEncoder
from oreline.heartbeat import Heartbeat
from oreline.job import Job
from oreline.stages.catalog import stage_workers


class LazyEncoder:
    """One of the recipe's encoders, by its miner's name, loaded when the first text needs it.

    A run that reuses every vector of an encoder does not load it.
    """

    def __init__(self, job: Job, name: str) -> None:
        self._job = job
        self._settings = job.recipe.encoders()[name]

    @cached_property
    def identity(self) -> EncoderIdentity:
        """The encoder's identity on this machine."""
        return identity(self._settings)

    @cached_property
    def loaded(self) -> TextEncoder:
        """The encoder on its device."""
        workers = stage_workers(self._job.recipe, self._job.stage)
        return open_encoder(self._settings, threads_of(self._settings, workers), workers)

    @cached_property
    def store(self) -> VectorStore:
        """The encoder's store in the recipe's cache."""
        known = self.identity
        return VectorStore(self._job.recipe.cache_folder, known.digest, known.dimension, known.facts())


class Encoders:
    """The encoders of this process by their miners' names, and what it tells of its progress."""

    def __init__(self, job: Job) -> None:
        self.heartbeat = Heartbeat(job)
        self._by_name = {name: LazyEncoder(job, name) for name in job.recipe.encoders()}

    def of(self, block: BlockReference) -> LazyEncoder:
        """Returns the encoder that a block is for."""
        return self._by_name[block.encoder]


class BlockEncoder(ModelHandler[bytes, bytes, Encoders]):
    """Encodes prepared blocks, one at a time, and hands their references on."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def load_model(self) -> Encoders:
        """Returns the encoders of this process."""
        return Encoders(self._job)

    def run_inference(
        self, batch: Sequence[bytes], model: Encoders, inference_args: Mapping[str, object] | None = None
    ) -> Iterator[bytes]:
        """Writes the missing vectors of each block and yields its reference."""
        del inference_args  # Beam's interface has it, a block needs none
        for encoded in batch:
            yield self._encode(BlockReference.decode(encoded), model).encode()

    def get_num_bytes(self, batch: Sequence[bytes]) -> int:
        """Returns the size of the references; Beam's own way would pickle the batch."""
        return sum(len(element) for element in batch)

    def get_metrics_namespace(self) -> str:
        """Returns the namespace of Beam's metrics."""
        return "oreline.embed"

    def batch_elements_kwargs(self) -> Mapping[str, int]:
        """Returns that a block comes alone: it is a batch already."""
        return {"min_batch_size": 1, "max_batch_size": 1}

    def _encode(self, reference: BlockReference, encoders: Encoders) -> BlockReference:
        rows = read_block(reference)
        keys, texts = missing(rows)
        encoder = encoders.of(reference)
        if keys:
            # A bundle may run twice; what its first run finished is not done again.
            done = encoder.store.present(keys)
            pairs = [(key, text) for key, text in zip(keys, texts, strict=True) if key not in done]
            keys, texts = [key for key, _ in pairs], [text for _, text in pairs]
        # There already; the others count as they are encoded.
        encoders.heartbeat.add(rows.num_rows - len(keys))
        return write_notes(reference, self._fill(reference, encoders, keys, texts)) if keys else reference

    def _fill(self, reference: BlockReference, encoders: Encoders, keys: list[str], texts: list[str]) -> Notes:
        """Encodes and stores; returns what is to be said of it. Texts without vector stay out."""
        encoder = encoders.of(reference)
        done = 0
        with VectorWriter(encoder.store, reference.bucket, reference.buckets, encoder.loaded.flush) as writer:
            for places, vectors in encoder.loaded.encode(texts, keys, self._job.stop_requested):
                usable = np.atleast_1d(np.isfinite(vectors).all(axis=1))
                good = [keys[place] for place, finite in zip(places, usable, strict=True) if finite]
                writer.add(good, vectors[usable])
                done += len(places)
                encoders.heartbeat.add(len(places))
        if done == len(keys):
            refused = {key: encoder.loaded.refused[key] for key in keys if key in encoder.loaded.refused}
            return Notes(refused, encoder.loaded.facts)
        stop = encoder.loaded.stopped
        return INTERRUPTED if stop is None else Notes(stopped=stop.stopped, failure=stop.failure, message=stop.message)
