"""A copy of the model at work: a thread of its own that computes batch after batch."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from oreline.encoders.local.inputs import Packed, Padded, packed_inputs, padded_inputs
from oreline.encoders.local.model import Model
from oreline.encoders.local.tokens import Tokens
from oreline.encoders.local.ways import Ways

if TYPE_CHECKING:
    import torch

Float32 = npt.NDArray[np.float32]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Texts that are computed at once, as `tokens`, or as `texts` where the model makes its inputs itself.

    `places` says where they stand among what was asked for; `inputs` are made ahead, pinned for a GPU.
    """

    places: list[int]
    tokens: Tokens | None
    texts: list[str]
    inputs: Padded | Packed | None

    def part(self, start: int, stop: int) -> "Batch":
        """Returns some of the texts as a batch, without inputs."""
        tokens = None if self.tokens is None else self.tokens.take(range(start, stop))
        return Batch(self.places[start:stop], tokens, self.texts[start:stop], None)


class Replica:
    """A model on its device, driven by one thread with `threads` CPU threads for its arithmetic."""

    def __init__(self, model: Model, ways: Ways, threads: int) -> None:
        import torch

        self._model = model
        self._ways = ways
        self._gpu = model.device.startswith("cuda")
        # Beside the thread that asks for it, torch keeps the number for those that follow.
        self._thread = ThreadPoolExecutor(1, "oreline-replica", initializer=torch.set_num_threads, initargs=(threads,))

    def with_inputs(self, batch: Batch) -> Batch:
        """Returns the batch with its inputs; called ahead, on another thread."""
        import torch

        if batch.tokens is None or not len(batch.tokens.ids):
            return batch
        # In the mode of the computation: a compiled layer is made anew for tensors of another.
        with torch.inference_mode():
            inputs = self._inputs(batch.tokens)
            if self._gpu:
                inputs = inputs.moved(lambda each: each.pin_memory())
        return Batch(batch.places, batch.tokens, batch.texts, inputs)

    def start(self, batch: Batch) -> "Future[Callable[[], Float32]]":
        """Begins a batch; the result's call waits for the vectors, float32, texts x dimension.

        On a GPU the future is done when the work is queued, so that the next batch can be queued behind it.
        """
        return self._thread.submit(self._run, batch)

    def _run(self, batch: Batch) -> Callable[[], Float32]:
        import torch

        with torch.inference_mode():
            vectors = self._vectors(batch)
            if not self._gpu:
                rows: Float32 = vectors.cpu().numpy()
                return lambda: rows
            with torch.cuda.device(vectors.device):
                host = torch.empty(vectors.shape, dtype=torch.float32, pin_memory=True)
                host.copy_(vectors, non_blocking=True)
                copied = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch types it not
                copied.record()
        return lambda: _wait(copied, host)

    def _vectors(self, batch: Batch) -> "torch.Tensor":
        """Computes a batch; where the device's memory is too small for it, in halves."""
        import torch

        try:
            return self._whole(batch)
        except torch.OutOfMemoryError:
            if len(batch.places) == 1:
                raise
            _LOG.warning("%s has no room for %d texts at once; it takes half", self._model.device, len(batch.places))
        # Outside the handler, which would hold on to the tensors of the failed attempt.
        if self._gpu:
            torch.cuda.empty_cache()
        half = len(batch.places) // 2
        parts = (batch.part(0, half), batch.part(half, len(batch.places)))
        return torch.cat([self._vectors(part) for part in parts])

    def _whole(self, batch: Batch) -> "torch.Tensor":
        import torch

        if batch.tokens is None:
            return self._model.own(batch.texts)
        if not len(batch.tokens.ids):
            # Models differ in what they make of nothing, where they do not fail; it has no direction.
            return torch.full((len(batch.places), self._model.dimension), torch.nan, device=self._model.device)
        inputs = batch.inputs or self._inputs(batch.tokens)
        moved = inputs.moved(lambda each: each.to(self._model.device, non_blocking=True))
        return self._model.packed(moved) if isinstance(moved, Packed) else self._model.padded(moved)

    def _inputs(self, tokens: Tokens) -> Padded | Packed:
        assert self._ways.tokenizing is not None
        if self._ways.first_position is None:
            return padded_inputs(tokens, self._ways.tokenizing)
        return packed_inputs(tokens, self._ways.first_position, self._model.max_tokens)


def _wait(copied: "torch.cuda.Event", host: "torch.Tensor") -> Float32:
    copied.synchronize()
    found: Float32 = host.numpy()
    return found
