"""How a model can be driven: found by asking it, not by its name.

Every shorter way is tried on probes first and taken only if it gives what the model's own way gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oreline.encoders.local.inputs import packed_inputs, padded_inputs
from oreline.encoders.local.model import Model
from oreline.encoders.local.tokens import Tokenizing, tokenizing_of

if TYPE_CHECKING:
    import torch

_SAME = 0.002
_FURTHEST = 0.0447
"""How far apart unit vectors of one probe may lie by two ways: 0.002 (two digits of bfloat16), more where the precision
makes more of it, at most what a cosine of 0.999 is."""

FAILURES = (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError, ImportError, KeyError, IndexError)
"""What a model raises that cannot be driven in a way; anything else is an error of ours."""


_LONG = 1_024


def _words(number: int) -> str:
    words = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "near", "some", "river", "bank")
    return " ".join(words[place % len(words)] for place in range(number))


SHORT = tuple(_words(number) for number in (1, 2, 3, 7, 12, 20))
"""Probes of unequal lengths, so that a batch of them is padded."""


@dataclass(frozen=True)
class Ways:
    """How texts reach a model.

    Without `tokenizing`, the model's own `preprocess` makes its inputs. `first_position` is the position of a text's
    first token if texts stand one behind the other, None if they are padded. `because` says why a way was left.
    """

    tokenizing: Tokenizing | None
    first_position: int | None
    because: dict[str, str]


def find_ways(model: Model, *, packed: bool) -> Ways:
    """Returns how to drive a model; `packed` asks for attention without padding."""
    import torch

    because: dict[str, str] = {}
    with torch.inference_mode():
        found = _tokenizing(model)
        tokenizing = None if isinstance(found, str) else found
        if isinstance(found, str):
            because["tokens"] = f"by the model's own preprocessing: {found}"
        position: int | str | None = None
        if packed:
            no_tokens = "its own preprocessing pads"
            position = no_tokens if tokenizing is None else _packing(model, tokenizing)
            if isinstance(position, str):
                because["attention"] = f"padded: {position}"
    return Ways(tokenizing, position if isinstance(position, int) else None, because)


def _tokenizing(model: Model) -> Tokenizing | str:
    if not _reads_plain_text(model):
        return "its first module is not a transformer over plain text"
    tokenizing = tokenizing_of(model.whole, model.max_tokens)
    if isinstance(tokenizing, str):
        return tokenizing
    try:
        found = probe(model, Ways(tokenizing, None, {}), SHORT)
    except FAILURES as error:
        return f"given tokens, it says: {error}"
    return tokenizing if agree(found, model.own(SHORT)) else "given the same tokens, it gives other vectors"


def _reads_plain_text(model: Model) -> bool:
    """Says whether the first module is sentence-transformers' own, reads text, and has no further steps for it."""
    first = model.whole[0]
    kind = type(first)
    # By name: the class stands elsewhere in each version. One that derives from it may do anything.
    if kind.__name__ != "Transformer" or not kind.__module__.startswith("sentence_transformers."):
        return False
    config = getattr(
        first, "modality_config", {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
    )
    return (
        "message" not in config
        and config.get("text") == {"method": "forward", "method_output_name": "last_hidden_state"}
        and getattr(first, "module_output_name", "token_embeddings") == "token_embeddings"
    )


def _packing(model: Model, tokenizing: Tokenizing) -> int | str:
    """Returns the first position of each text, or why the model cannot do without padding; it is set up accordingly."""
    import torch

    texts = [*SHORT, _words(_longest(model))]
    # One at a time: then the model's own way has no padding that it could get wrong.
    expected = torch.cat([model.own([text]) for text in texts])
    noise = distance(model.own(SHORT), expected[:-1])
    first = first_position(model.transformer)
    try:
        model.use_packed_attention(packed=True)
        if agree(probe(model, Ways(tokenizing, first, {}), texts), expected, noise):
            return first
        reason = "without padding, it gives other vectors"
    except FAILURES as error:
        reason = f"without padding, it says: {error}"
    model.use_packed_attention(packed=False)
    return reason


def probe(model: Model, ways: Ways, texts: Sequence[str]) -> "torch.Tensor":
    """Returns the vectors of texts by one of a model's ways."""
    if ways.tokenizing is None:
        return model.own(texts)
    tokens = ways.tokenizing.tokens(texts)
    if ways.first_position is None:
        return model.padded(padded_inputs(tokens, ways.tokenizing).moved(lambda each: each.to(model.device)))
    packed = packed_inputs(tokens, ways.first_position, model.max_tokens)
    return model.packed(packed.moved(lambda each: each.to(model.device)))


def first_position(transformer: "torch.nn.Module") -> int:
    """Returns the position of a text's first token: 0, or behind the padding's where a table of positions holds one."""
    import torch

    for module in transformer.modules():
        padding = getattr(module, "padding_idx", None)
        if isinstance(padding, int) and isinstance(getattr(module, "position_embeddings", None), torch.nn.Embedding):
            return padding + 1
    return 0


def _longest(model: Model) -> int:
    """Returns how long a probe must be to see all of a model's attention: longer than its sliding window."""
    config = getattr(model.transformer, "config", None)
    reach = max((getattr(config, name, None) or 0 for name in ("sliding_window", "local_attention")), default=0)
    return min(model.max_tokens, max(_LONG, reach + _LONG // 8))


def agree(found: "torch.Tensor", expected: "torch.Tensor", noise: float = 0.0) -> bool:
    """Says whether vectors are the same up to the digits of their precision.

    Some encoders give all texts nearly one direction, so a cosine near 1 alone says little: unit vectors may not lie
    further apart than `noise`, what the precision itself does to the same probes, lets expect.
    """
    return distance(found, expected) <= min(_FURTHEST, max(_SAME, 4 * noise))


def distance(found: "torch.Tensor", expected: "torch.Tensor") -> float:
    """Returns the largest distance between two unit vectors of one probe."""
    import torch

    ours, theirs = (torch.nn.functional.normalize(each.double(), dim=-1) for each in (found, expected))
    return float((ours - theirs).norm(dim=-1).max())
