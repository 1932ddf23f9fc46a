"""Compiling a model's layers with torch.compile."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_CODES = 64
"""How often one layer may be compiled anew, for other devices and shapes, before torch gives up on it."""


def compile_layers(transformer: "torch.nn.Module") -> bool:
    """Compiles the repeated layers of a transformer, each for itself; False where it has none.

    They have one code: a layer is compiled once and serves all, in seconds where the whole model takes a minute. Sizes
    are left open, so that batches of other sizes need no further compiling.
    """
    import torch

    torch._dynamo.config.recompile_limit = max(_CODES, torch._dynamo.config.recompile_limit)  # noqa: SLF001 - it is torch's documented setting
    layers = _layers(transformer)
    for layer in layers:
        layer.compile(dynamic=True)
    return bool(layers)


def leave_uncompiled(transformer: "torch.nn.Module") -> None:
    """Takes back what `compile_layers` did."""
    for layer in _layers(transformer):
        layer._compiled_call_impl = None  # noqa: SLF001 - torch has no public way back


def _layers(transformer: "torch.nn.Module") -> "list[torch.nn.Module]":
    """Returns the largest list of modules of one class."""
    import torch

    lists = [list(each) for each in transformer.modules() if isinstance(each, torch.nn.ModuleList)]
    alike = [each for each in lists if len({type(layer) for layer in each}) == 1]
    return max(alike, key=_size, default=[])


def _size(layers: "list[torch.nn.Module]") -> int:
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())
