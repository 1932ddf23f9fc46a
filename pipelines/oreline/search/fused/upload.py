"""Vectors on their way to the device: through two pinned buffers in turn, one filled while the other is copied."""

import numpy as np
import torch

from oreline.search.fused.hits import Corpus
from oreline.search.fused.launch import Config, Vectors
from oreline.search.fused.layout import Layout
from oreline.search.scores import LARGEST_NORM, Float16, largest_norm
from oreline.search.shards import Shard

_BUFFER_BYTES = 64 << 20


def corpus_of(shard: Shard, config: Config, device: torch.device) -> Corpus:
    """Copies a shard to a device; raises Unfit for a vector that is not finite or too long."""
    layout = Layout(len(shard.order), config.documents)
    vectors = Vectors.empty(layout.tiles * layout.width, shard.vectors.shape[1], device)
    slots = vectors.matrix.view(layout.tiles, layout.width, -1)[:, :, : vectors.dimension].transpose(0, 1)
    # A column of slots after the other holds the documents in their own order.
    _copy(shard.vectors, slots)
    norm = float(torch.linalg.vector_norm(vectors.matrix, dim=1, dtype=torch.float32).max())
    if not norm <= LARGEST_NORM:
        norm = largest_norm(shard.vectors)
    order = torch.from_numpy(np.array(shard.order)).to(device)
    return Corpus(vectors, layout, order, norm, config)


def upload(queries: Float16, device: torch.device) -> Vectors:
    """Copies queries to the device."""
    vectors = Vectors.empty(len(queries), queries.shape[1], device)
    vectors.matrix[:, : vectors.dimension].copy_(torch.from_numpy(queries))
    return vectors


def _copy(rows: Float16, slots: torch.Tensor) -> None:
    """Copies rows, in order, into slots (columns x tiles x d), the last of which may stay empty."""
    _, tiles, dimension = slots.shape
    source = torch.from_numpy(rows)
    whole = len(rows) // tiles
    step = max(1, _BUFFER_BYTES // (2 * tiles * dimension))
    pinned = slots.device.type == "cuda"
    buffers = [torch.empty((step, tiles, dimension), dtype=torch.float16, pin_memory=True) for _ in range(2 * pinned)]
    copied = [torch.cuda.Event() for _ in buffers]  # type: ignore[no-untyped-call] # torch types the class, not this
    for turn, start in enumerate(range(0, whole, step)):
        stop = min(start + step, whole)
        some = source[start * tiles : stop * tiles].view(stop - start, tiles, dimension)
        if not pinned:
            slots[start:stop] = some
            continue
        copied[turn % 2].synchronize()
        buffer = buffers[turn % 2][: stop - start]
        buffer.copy_(some)
        slots[start:stop].copy_(buffer, non_blocking=True)
        copied[turn % 2].record()
    for each in copied:
        # The buffers are given back only once they are read.
        each.synchronize()
    rest = len(rows) - whole * tiles
    if rest:
        slots[whole, :rest] = source[whole * tiles :].to(slots.device)
