"""The model handler of Beam's RunInference: an element is a prepared block, its vectors go into the store."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from oreline.embeddings.blocks import BlockReference, missing, read_block
from oreline.embeddings.store import VectorStore
from oreline.encoders.identity import EncoderIdentity, identity
from oreline.encoders.loaded import LoadedEncoder, threads_of
from oreline.heartbeat import Heartbeat
from oreline.job import Job
from oreline.stages.catalog import stage_workers

FLUSH_TEXTS = 4_096
"""A store file is finished after this many texts: what a killed run loses at most, per worker."""


class LazyEncoder:
    """An encoder that is loaded when the first text needs it: a run that reuses every vector loads nothing."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.heartbeat = Heartbeat(job)

    @cached_property
    def identity(self) -> EncoderIdentity:
        """The encoder's identity on this machine."""
        return identity(self._job.recipe.encoder)

    @cached_property
    def loaded(self) -> LoadedEncoder:
        """The encoder on its device."""
        recipe = self._job.recipe
        threads = threads_of(recipe.encoder, stage_workers(recipe, self._job.stage))
        return LoadedEncoder(self.identity, recipe.encoder, threads)

    @cached_property
    def store(self) -> VectorStore:
        """The encoder's store in the recipe's cache."""
        return VectorStore(self._job.recipe.cache_folder, self.identity.digest, self.identity.dimension)


class BlockEncoder(ModelHandler[bytes, bytes, LazyEncoder]):
    """Encodes prepared blocks, one at a time, and hands their references on."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def load_model(self) -> LazyEncoder:
        """Returns the encoder of this process."""
        return LazyEncoder(self._job)

    def run_inference(
        self, batch: Sequence[bytes], model: LazyEncoder, inference_args: Mapping[str, object] | None = None
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

    def _encode(self, reference: BlockReference, model: LazyEncoder) -> BlockReference:
        rows = read_block(reference)
        keys, texts = missing(rows)
        if keys:
            # A bundle may run twice; what its first run finished is not done again.
            done = model.store.present(keys)
            pairs = [(key, text) for key, text in zip(keys, texts, strict=True) if key not in done]
            keys, texts = [key for key, _ in pairs], [text for _, text in pairs]
        model.heartbeat.add(rows.num_rows - len(keys))  # there already; the others count as they are encoded
        stopped = bool(keys) and self._fill(reference, model, keys, texts)
        return BlockReference(reference.path, reference.bucket, reference.buckets, stopped)

    def _fill(self, reference: BlockReference, model: LazyEncoder, keys: list[str], texts: list[str]) -> bool:
        """Encodes and stores; returns whether the user ended the work before its end. Texts without vector stay out."""
        waiting_keys: list[str] = []
        waiting: list[np.ndarray[tuple[int, ...], np.dtype[np.float16]]] = []
        done = 0
        for places, vectors in model.loaded.encode(texts, keys, self._job.stop_requested):
            usable = np.atleast_1d(np.isfinite(vectors).all(axis=1))
            waiting_keys.extend(keys[place] for place, good in zip(places, usable, strict=True) if good)
            waiting.append(vectors[usable])
            done += len(places)
            model.heartbeat.add(len(places))
            if len(waiting_keys) >= FLUSH_TEXTS:
                model.store.write(reference.bucket, reference.buckets, waiting_keys, np.concatenate(waiting))
                waiting_keys, waiting = [], []
        if waiting_keys:
            model.store.write(reference.bucket, reference.buckets, waiting_keys, np.concatenate(waiting))
        return done < len(keys)
