"""Attention over texts that stand one behind the other, without padding.

Registered with transformers as an attention function of its own. On CUDA it is PyTorch's kernel for unequal lengths
(flash attention; float16 and bfloat16); elsewhere a call of scaled_dot_product_attention for all texts of one length.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

NAME = "oreline_packed"
_NOT_DONE = ("softcap", "s_aux", "position_bias", "cache")


class NotPackedError(ValueError):
    """A model asks for something in its attention that is not done without padding."""


def register() -> None:
    """Makes the attention known to transformers by `NAME`; no mask is built for it."""
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface

    # Compiled, it would be made anew for every number of texts.
    uncompiled: Callable[..., torch.Tensor] = torch.compiler.disable(_by_length)  # type: ignore[no-untyped-call]  # torch types it not
    AttentionInterface.register(NAME, partial(packed_attention, by_length=uncompiled))
    AttentionMaskInterface.register(NAME, _no_mask)


def _no_mask(**_: object) -> None:
    """Stands where transformers would build a mask: lengths say what a mask would."""


def packed_attention(  # noqa: PLR0917 - transformers' signature
    module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,  # noqa: FBT001 - likewise
    sliding_window: int | None = None,
    cu_seq_lens_q: "torch.Tensor | None" = None,
    max_length_q: int | None = None,
    *,
    by_length: "Callable[..., torch.Tensor]",
    **others: object,
) -> "tuple[torch.Tensor, None]":
    """Returns the attention's output, 1 x tokens x heads x head dimension, as transformers wants it.

    Query, key and value are 1 x heads x tokens x head dimension; text i has the tokens from `cu_seq_lens_q[i]` to
    `cu_seq_lens_q[i + 1]`, at most `max_length_q`. `by_length` is taken where there is no CUDA. Raises NotPackedError
    for what it does not know.
    """
    del dropout  # none in inference
    asked = sorted(name for name in _NOT_DONE if others.get(name) is not None)
    if asked or attention_mask is not None:
        raise NotPackedError(f"its attention has {', '.join(asked) or 'a mask of its own'}")
    if cu_seq_lens_q is None or max_length_q is None:
        raise NotPackedError("it does not hand the lengths of texts to its attention")
    causal = bool(getattr(module, "is_causal", True)) if is_causal is None else is_causal
    # Both ends exclusive, as in transformers: a token sees those less than the window away.
    reach = -1 if sliding_window is None or sliding_window >= max_length_q else sliding_window - 1
    q, k, v = (each.squeeze(0).transpose(0, 1).contiguous() for each in (query, key, value))
    window = (reach, 0 if causal else reach)
    if q.is_cuda:
        return _by_kernel(q, k, v, cu_seq_lens_q, max_length_q, scaling, window).unsqueeze(0), None
    return by_length(q, k, v, cu_seq_lens_q, scaling, window).unsqueeze(0), None


def _by_kernel(  # noqa: PLR0917 - as the kernel takes them
    q: "torch.Tensor",
    k: "torch.Tensor",
    v: "torch.Tensor",
    starts: "torch.Tensor",
    longest: int,
    scaling: float | None,
    window: tuple[int, int],
) -> "torch.Tensor":
    from torch.nn.attention.varlen import varlen_attn

    grouped = q.shape[1] != k.shape[1]
    found = varlen_attn(
        q, k, v, starts, starts, longest, longest, scale=scaling, window_size=window, enable_gqa=grouped
    )
    assert not isinstance(found, tuple)  # nothing beside the output was asked for
    return found


def _by_length(  # noqa: PLR0917 - as the kernel takes them
    q: "torch.Tensor",
    k: "torch.Tensor",
    v: "torch.Tensor",
    starts: "torch.Tensor",
    scaling: float | None,
    window: tuple[int, int],
) -> "torch.Tensor":
    """Calls torch's attention once for each run of texts of one length; batches are sorted by length."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    output = torch.empty_like(q)
    grouped = q.shape[1] != k.shape[1]
    start = 0
    for length, run in itertools.groupby(starts.diff().tolist()):
        stop = start + length * sum(1 for _ in run)
        # Texts x heads x tokens x head dimension.
        query, key, value = (each[start:stop].view(-1, length, *each.shape[1:]).transpose(1, 2) for each in (q, k, v))
        seen = _band(length, window, q)
        found = scaled_dot_product_attention(query, key, value, seen, scale=scaling, enable_gqa=grouped)
        output[start:stop] = found.transpose(1, 2).flatten(0, 1)
        start = stop
    return output


def _band(length: int, window: tuple[int, int], like: "torch.Tensor") -> "torch.Tensor | None":
    """Returns which tokens see which, length x length, or None if all see all."""
    import torch

    if window == (-1, -1):
        return None
    places = torch.arange(length, device=like.device)
    behind = places[:, None] - places[None, :]
    left = torch.ones_like(behind, dtype=torch.bool) if window[0] < 0 else behind <= window[0]
    return left if window[1] < 0 else left & (-behind <= window[1])
