"""How a request is to be answered, and how long the answer may get: its settings, with types."""

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal

from oreline.recipe.settings import HarmCategory, ModelSettings, Threshold

ThinkingLevel = Literal["minimal", "low", "medium", "high"]

_ROOM: dict[ThinkingLevel, int] = {"minimal": 2048, "low": 8192, "medium": 16384, "high": 32768}
_ROOM_UNSTATED = 16384
"""What a model may think that decides by itself: twice what Gemini 2.5 does of its own accord."""

_GEMINI_CEILING = 65536
_UNTHINKING = ("gemini-1", "gemini-2.0", "gemma", "gpt-3", "gpt-4", "chatgpt-")


@dataclass(frozen=True)
class Sampling:
    """The settings of one request, from `Request.settings`; None is the provider's default."""

    max_output_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    thinking_budget: int | None = None
    thinking_level: ThinkingLevel | None = None
    safety: dict[HarmCategory, Threshold] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    """How many of the likeliest tokens are wanted at each place; only beside `logprobs`."""


_NAMES = frozenset(each.name for each in fields(Sampling))


@lru_cache(maxsize=256)
def sampling_of(settings: str) -> Sampling:
    """Returns the settings in the canonical JSON of a request; raises ValueError for one that no provider knows."""
    stated = json.loads(settings)
    if unknown := set(stated) - _NAMES:
        raise ValueError(f"a request has the setting {min(unknown)!r}; expected one of {', '.join(sorted(_NAMES))}")
    return Sampling(**stated)


def thinks(model: str) -> bool:
    """Says whether a model may think before it answers; one that is not known to answer at once may."""
    name = model.removeprefix("models/").removeprefix("ft:")
    return not name.startswith(_UNTHINKING) and "chat-latest" not in name


def output_limit(model: ModelSettings, sampling: Sampling) -> int:
    """Returns the most tokens that a model may write for one answer, thinking included: the limit that is sent.

    Providers count thinking against it, so `max_output_tokens`, which leaves thinking out, gets room on top: the
    thinking budget, else a size by thinking level, else 16,384. A server of one's own gets room only if budget or
    level is set, as its context may be small.
    """
    answer = sampling.max_output_tokens
    if sampling.thinking_budget is not None and sampling.thinking_budget >= 0:
        room = sampling.thinking_budget
    elif sampling.thinking_level is not None:
        room = _ROOM[sampling.thinking_level]
    elif model.provider == "openai" and model.base_url is not None and sampling.thinking_budget is None:
        room = 0
    else:
        room = _ROOM_UNSTATED if thinks(model.model) else 0
    if model.provider == "gemini":
        room = max(0, min(room, _GEMINI_CEILING - answer))
    return answer + room
