"""A loaded sentence-transformers model that turns batches of strings into unit vectors."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from oreline.encoders.batches import token_batches
from oreline.encoders.identity import EncoderIdentity
from oreline.encoders.precision import on_gpu
from oreline.recipe.settings import Encoder

if TYPE_CHECKING:
    import torch

Float16 = npt.NDArray[np.float16]

CPU_BUDGET = {"float32": 1_024, "bfloat16": 4_096, "float16": 4_096}
"""Padded tokens of a batch on a CPU; larger ones were slower on two cores, as activations leave the cache."""

GPU_BUDGET = 65_536


class LoadedEncoder:
    """An encoder on its device.

    `threads` are the CPU threads of this process. No prompt of the model's own is added: texts come rendered.
    """

    def __init__(self, identity: EncoderIdentity, settings: Encoder, threads: int) -> None:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers types it not
        gpu = on_gpu(settings)
        self.identity = identity
        self._device = settings.device if settings.device != "auto" else ("cuda" if gpu else "cpu")
        self._budget = GPU_BUDGET if gpu else CPU_BUDGET[identity.precision]
        self._threads = threads
        self._model: SentenceTransformer = SentenceTransformer(
            identity.folder, device=self._device, local_files_only=True
        )
        self._model.max_seq_length = identity.max_tokens
        # Only the transformer computes in the lower precision: pooling and what follows keep all digits.
        self._model[0].to(getattr(torch, identity.precision))
        self._model.eval()

    def encode(
        self, texts: Sequence[str], keys: Sequence[str], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[list[int], Float16]]:
        """Yields (places, vectors): which texts a batch held, and its unit vectors as float16, rows x dimension.

        Rows are NaN where the model gave no direction (a vector that is not finite, or zero). Batches depend on the
        set of texts and keys alone. `stop` is asked before each batch; True ends the work.
        """
        import torch

        torch.set_num_threads(self._threads)
        lengths = self._lengths(texts)
        for places in token_batches(lengths, keys, self._budget):
            if stop():
                return
            with torch.inference_mode():
                vectors = self._forward([texts[place] for place in places])
            yield places, unit_float16(vectors.cpu().numpy())

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        encoded = self._model.tokenizer(
            list(texts), truncation=True, max_length=self.identity.max_tokens, padding=False
        )
        return [len(ids) for ids in encoded["input_ids"]]

    def _forward(self, texts: list[str]) -> "torch.Tensor":
        import torch

        features = self._model.preprocess(texts)
        features = {
            name: value.to(self._device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        for place, module in enumerate(self._model):
            features = module(features)
            if place == 0:
                features["token_embeddings"] = features["token_embeddings"].float()
        return cast("torch.Tensor", features["sentence_embedding"]).float()


def unit_float16(vectors: npt.NDArray[np.float32]) -> Float16:
    """Returns rows scaled to length 1 as float16; a row that is not finite or is zero becomes NaN."""
    wide = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        norms = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
        unit = np.where(np.isfinite(norms) & (norms > 0), wide / norms, np.nan)
    return unit.astype(np.float16)


def threads_of(settings: Encoder, workers: int) -> int:
    """Returns the CPU threads of one worker: the recipe's, else all cores divided by the workers, at least 1."""
    if settings.threads is not None:
        return settings.threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, cores // workers)
