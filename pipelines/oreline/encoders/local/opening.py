"""Copies of a model, one per device, each asked how it can be driven."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from oreline.encoders.identity import EncoderIdentity
from oreline.encoders.local.compiling import compile_layers, leave_uncompiled
from oreline.encoders.local.model import Model
from oreline.encoders.local.replica import Replica
from oreline.encoders.local.ways import FAILURES, SHORT, Ways, agree, distance, find_ways, probe
from oreline.encoders.precision import compiled, packed
from oreline.errors import CallError
from oreline.recipe.settings import Encoder

_LOG = logging.getLogger(__name__)


def replicas_of(
    identity: EncoderIdentity, settings: Encoder, devices: Sequence[str], threads: int
) -> tuple[list[Replica], Ways]:
    """Returns a copy of the model per device, and how all of them are driven.

    The copies share `threads`. Raises CallError where the model cannot be used as the recipe says.
    """
    import torch

    each = max(1, threads // len(devices))
    torch.set_num_threads(each)
    models = [Model(identity, device) for device in devices]
    _check_prompts(models[0], settings)
    if settings.max_tokens is not None and not models[0].cuts:
        raise CallError(f"encoder.max_tokens: {settings.model} is of a kind that cuts no texts; leave it out")
    ways = _common(models, [find_ways(model, packed=packed(settings)) for model in models])
    if compiled(settings):
        ways = _compile(models, ways, settings)
    for name, reason in ways.because.items():
        _LOG.warning("encoder %s, %s: %s", settings.model, name, reason)
    return [Replica(model, ways, each) for model in models], ways


def _check_prompts(model: Model, settings: Encoder) -> None:
    """Raises CallError for a model whose pooling leaves out the prompt: rendered texts do not say where it ends."""
    leaves_out = any(getattr(module, "include_prompt", True) is False for module in model.whole)
    if leaves_out and (settings.query_prefix != "" or settings.document_prefix != ""):
        raise CallError(
            f"encoder.model: {settings.model} leaves prompts out of its pooling (include_prompt: false), which is not "
            'supported; set encoder.query_prefix and encoder.document_prefix to "" to encode without prompts'
        )


def _common(models: Sequence[Model], found: Sequence[Ways]) -> Ways:
    """Returns the way that all copies take: batches may not depend on which of them computes them."""
    padded = next((ways for ways in found if ways.first_position is None), None)
    if padded is None:
        return found[0]
    for model, ways in zip(models, found, strict=True):
        if ways.first_position is not None:
            model.use_packed_attention(packed=False)
    return padded


def _compile(models: Sequence[Model], ways: Ways, settings: Encoder) -> Ways:
    """Compiles the layers of all copies or of none; returns the ways, with the reason if that does not work.

    Raises CallError if the recipe insists on it.
    """
    reasons = [reason for model in models if (reason := _not_compiled(model, ways)) is not None]
    if not reasons:
        return ways
    for model in models:
        leave_uncompiled(model.transformer)
    if settings.compile == "on":
        raise CallError(f"encoder.compile is on, but {settings.model} cannot be compiled: {reasons[0]}")
    return replace(ways, because={**ways.because, "compile": f"not compiled: {reasons[0]}"})


def _not_compiled(model: Model, ways: Ways) -> str | None:
    import torch

    with torch.inference_mode():
        expected = torch.cat([probe(model, ways, [text]) for text in SHORT])
        noise = distance(probe(model, ways, SHORT), expected)
        if not compile_layers(model.transformer):
            return "it has no list of layers"
        try:
            if agree(probe(model, ways, SHORT), expected, noise):
                return None
        except FAILURES as error:
            return str(error)
    return "compiled, it gives other vectors"
