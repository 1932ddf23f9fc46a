"""Launches the kernels: shapes, descriptors, and what each generation of GPUs gets."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import triton
from triton.tools.tensor_descriptor import TensorDescriptor

from oreline.search.fused import kernels
from oreline.search.fused.layout import NOTHING, Layout

TARGETS_AT_ONCE = 4
"""Targets per query that are counted in one pass: the most that leave the scores in registers."""

_GROUP_BYTES = 16 << 20
"""Queries that share a tile of documents: they stay in the GPU's second-level cache (40 MB and more from A100 on)."""

_PAIR_STEP = 128


@dataclass(frozen=True)
class Config:
    """Tile sizes: queries x documents x dimensions per step; and how the compiler spreads and pipelines them.

    `described`: tiles are copied by the tensor memory accelerator, which Hopper and later have. `pairs`: how many pairs
    a program scores exactly.
    """

    queries: int = 128
    documents: int = 256
    step: int = 64
    warps: int = 8
    stages: int = 3
    described: bool = True
    pairs: int = 32


def capability_config(major: int) -> Config:
    """Returns the tile sizes for a compute capability: the largest ones whose accumulator stays in registers.

    9 (Hopper): 128 x 256, with bins of 64. Others have 128 x 128, with bins of 32; of these 10 (data centre Blackwell)
    has Hopper's tensor memory accelerator; 8 and 12 may have but 99 KB of shared memory, and take pointers.
    """
    if major == 9:
        return Config()
    return Config(documents=128, described=major == 10)


def config_of(device: torch.device) -> Config:
    """Returns the tile sizes for a device."""
    return capability_config(torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else 9)


def on(device: torch.device) -> AbstractContextManager[object]:
    """Returns a context in which kernels are launched on a device: Triton takes torch's current one."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def programs_of(device: torch.device) -> int:
    """Returns how many programs run at once: one per multiprocessor."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1


@dataclass(frozen=True)
class Vectors:
    """Vectors on a device: float16, rows x pitch, zero from `dimension` on.

    The pitch is a multiple of 16, which lets the compiler load eight numbers at once.
    """

    matrix: torch.Tensor
    dimension: int

    @classmethod
    def empty(cls, rows: int, dimension: int, device: torch.device) -> "Vectors":
        """Returns zero vectors."""
        pitch = -(-dimension // 16) * 16
        return cls(torch.zeros((rows, pitch), dtype=torch.float16, device=device), dimension)


@dataclass(frozen=True)
class Best:
    """Per query and bin the two best packed scores: float32, queries x stored bins."""

    first: torch.Tensor
    second: torch.Tensor

    @classmethod
    def empty(cls, queries: int, layout: Layout, device: torch.device) -> "Best":
        """Returns room for them, with nothing in the bins that no tile has."""
        pair = cls(*torch.empty((2, queries, layout.stored_bins), device=device).unbind())
        for each in (pair.first, pair.second):
            each[:, layout.bins :] = NOTHING
        return pair


@dataclass(frozen=True)
class Counting:
    """Targets to count: per query the first one's place and their number (int32); per target its limits (float32).

    `counts` is int32, targets x stored bins. A pass counts `at_once` targets of each query.
    """

    first: torch.Tensor
    number: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    counts: torch.Tensor
    at_once: int = 1


@dataclass(frozen=True)
class Outputs:
    """What a pass is asked for; `limits` (float32, one per query) goes with `below`."""

    best: Best | None = None
    below: Best | None = None
    limits: torch.Tensor | None = None
    counting: Counting | None = None


def score_bins(queries: Vectors, documents: Vectors, layout: Layout, outputs: Outputs, config: Config) -> None:
    """Scores all queries with all documents and fills the outputs."""
    left, right = queries.matrix, documents.matrix
    none = torch.empty(1, device=left.device)
    whole = torch.empty(1, dtype=torch.int32, device=left.device)
    best = outputs.best or Best(none, none)
    below = outputs.below or Best(none, none)
    counting = outputs.counting or Counting(whole, whole, none, none, whole)
    programs = programs_of(left.device)
    group = max(1, _GROUP_BYTES // (config.queries * left.shape[1] * 2))
    sides = (
        (
            TensorDescriptor.from_tensor(left, [config.queries, config.step]),
            TensorDescriptor.from_tensor(right, [config.documents, config.step]),
        )
        if config.described
        else (left, right)
    )
    kernels.bins_kernel[(programs,)](
        *sides,
        best.first,
        best.second,
        below.first,
        below.second,
        none if outputs.limits is None else outputs.limits,
        counting.first,
        counting.number,
        counting.low,
        counting.high,
        counting.counts,
        len(left),
        layout.tiles,
        layout.documents,
        left.shape[1],
        group,
        layout.stored_bins,
        M=config.queries,
        N=config.documents,
        K=config.step,
        LEVELS=(config.documents // 8).bit_length() - 1,
        PROGRAMS=programs,
        ALL=outputs.best is not None,
        BELOW=outputs.below is not None,
        TARGETS=0 if outputs.counting is None else outputs.counting.at_once,
        DESCRIBED=config.described,
        num_warps=config.warps,
        num_stages=config.stages,
        enable_fp_fusion=True,
    )


def exact_scores(
    queries: Vectors, documents: Vectors, rows: torch.Tensor, slots: torch.Tensor, config: Config
) -> torch.Tensor:
    """Returns the exact scores (float64) of pairs of rows (int64), as `search.scores` defines them."""
    scores = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    if len(rows):
        kernels.pairs_kernel[(triton.cdiv(len(rows), config.pairs),)](
            queries.matrix,
            documents.matrix,
            rows,
            slots,
            scores,
            len(rows),
            queries.matrix.shape[1],
            P=config.pairs,
            K=_PAIR_STEP,
            num_warps=4,
            enable_fp_fusion=True,
        )
    return scores
