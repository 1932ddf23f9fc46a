"""Batches of tokens as the tensors that a model is given: padded, or one text behind the other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from oreline.encoders.local.tokens import Tokenizing, Tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Padded:
    """Texts as rows: `ids` and `mask` are texts x longest, int64; `types` is all 0, or None if none is taken."""

    ids: "torch.Tensor"
    mask: "torch.Tensor"
    types: "torch.Tensor | None"

    def moved(self, move: "Callable[[torch.Tensor], torch.Tensor]") -> "Padded":
        """Returns the same with every tensor moved."""
        return Padded(move(self.ids), move(self.mask), None if self.types is None else move(self.types))


@dataclass(frozen=True)
class Packed:
    """Texts one behind the other.

    `ids` and `positions` are 1 x tokens, int64; text i begins at `starts[i]`, int32; `longest` is at least the longest
    text. `rows` (texts x longest, int64) says where each row's tokens are; `mask` is 0 where a row has ended.
    """

    ids: "torch.Tensor"
    positions: "torch.Tensor"
    starts: "torch.Tensor"
    longest: int
    rows: "torch.Tensor"
    mask: "torch.Tensor"

    def moved(self, move: "Callable[[torch.Tensor], torch.Tensor]") -> "Packed":
        """Returns the same with every tensor moved."""
        return replace(
            self,
            ids=move(self.ids),
            positions=move(self.positions),
            starts=move(self.starts),
            rows=move(self.rows),
            mask=move(self.mask),
        )


def padded_inputs(tokens: Tokens, tokenizing: Tokenizing) -> Padded:
    """Returns texts as rows of ids, padded on the tokenizer's side."""
    import torch

    lengths = tokens.lengths
    columns = np.arange(int(lengths.max()))
    free = (len(columns) - lengths)[:, None]
    mask = columns >= free if tokenizing.pad_left else columns < lengths[:, None]
    ids = np.full(mask.shape, tokenizing.pad_id, np.int64)
    ids[mask] = tokens.ids
    types = torch.zeros(mask.shape, dtype=torch.int64) if tokenizing.typed else None
    return Padded(torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64)), types)


def packed_inputs(tokens: Tokens, first_position: int, max_tokens: int) -> Packed:
    """Returns texts one behind the other; positions of each count from `first_position`."""
    import torch

    lengths, starts = tokens.lengths, tokens.offsets[:-1]
    positions = np.arange(len(tokens.ids)) - np.repeat(starts, lengths) + first_position
    columns = np.arange(int(lengths.max()))
    mask = columns < lengths[:, None]
    rows = np.minimum(starts[:, None] + columns, len(tokens.ids) - 1)
    return Packed(
        torch.from_numpy(tokens.ids.astype(np.int64))[None],
        torch.from_numpy(positions)[None],
        torch.from_numpy(tokens.offsets.astype(np.int32)),
        _rounded(len(columns), max_tokens),
        torch.from_numpy(rows),
        torch.from_numpy(mask.astype(np.int64)),
    )


def _rounded(longest: int, max_tokens: int) -> int:
    """Returns the next power of two, `max_tokens` at most: a compiled layer is made again for each number it meets."""
    return max(longest, min(max_tokens, 1 << (longest - 1).bit_length()))
