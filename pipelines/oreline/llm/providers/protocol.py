"""What a provider does: one call, one reply. Retries, journal and budget are not its business."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from oreline.llm.requests import AnswerStatus, Request, TokenLogprob
from oreline.scripts import one_line

_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MOST_TOKENS = 2**31
_SAID_CHARACTERS = 300

FailureKind = Literal["transient", "rate", "quota", "key", "model", "request"]
"""Why a call gave no reply.

transient: 5xx, timeouts, broken connections; rate: too many requests for now; quota: the day's, or the money, are used
up; key: the key is wrong or may not do this; model: there is no such model, or it cannot do what every request asks;
request: the provider does not take this request.
"""


@dataclass(frozen=True)
class Reply:
    """A provider's answer. Token counts are None where it states none; `output_tokens` leaves thinking out.

    `logprobs` are those of the generated tokens, or of the text that a request asked to score. What no table can hold
    is made into something that it can: lone surrogates become U+FFFD, counts that cannot be are none.
    """

    status: AnswerStatus
    text: str
    reason: str | None = None
    model_version: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    thinking_tokens: int | None = None
    output_tokens: int | None = None
    logprobs: list[TokenLogprob] | None = None

    def __post_init__(self) -> None:
        """Looks at what the server sent; raises TypeError for what is no text or no number."""
        for name in ("text", "reason", "model_version"):
            value = getattr(self, name)
            if value is not None and _SURROGATES.search(value):
                object.__setattr__(self, name, _storable(value))
        for name in ("prompt_tokens", "cached_tokens", "thinking_tokens", "output_tokens"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and 0 <= value < _MOST_TOKENS):
                object.__setattr__(self, name, None)
        if self.logprobs is not None:
            tokens = [token for each in self.logprobs for token in (each, *(each.likely or ()))]
            math.fsum(token.logprob for token in tokens)
            if _SURROGATES.search("".join(token.token for token in tokens)):
                object.__setattr__(self, "logprobs", [_storable_token(each) for each in self.logprobs])


def _storable_token(token: TokenLogprob) -> TokenLogprob:
    likely = None if token.likely is None else [replace(each, token=_storable(each.token)) for each in token.likely]
    return replace(token, token=_storable(token.token), likely=likely)


def _storable(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


class CallFailed(Exception):
    """A call that gave no reply; `retry_after` is how many seconds the provider wants to be left alone.

    `message` is one line of at most 300 characters that a terminal can show, whatever the server said.
    """

    def __init__(self, kind: FailureKind, message: str, retry_after: float | None = None) -> None:
        said = one_line(_CONTROLS.sub(" ", _storable(message)))
        said = said if len(said) <= _SAID_CHARACTERS else f"{said[:_SAID_CHARACTERS]}…"
        super().__init__(said)
        self.kind = kind
        self.message = said
        self.retry_after = retry_after


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts, in their order, as the service gave them; equally long.

    `tokens` is None where it states none, `cut` how many texts it says it did not read to their end.
    """

    vectors: list[npt.NDArray[np.float32]]
    tokens: int | None = None
    cut: int = 0


class Embedder(Protocol):
    """A model that makes vectors. It is made, used and closed on one event loop."""

    async def embed(self, texts: Sequence[str], task: str, dimension: int | None) -> Embedded:
        """Sends texts once and returns a vector for each; raises CallFailed if none came.

        `task` is the service's name for what the vectors are for, empty for none; `dimension` how long they should
        be, None for as long as they come.
        """
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...


@dataclass(frozen=True)
class Capabilities:
    """What a model can do, as far as it is known without asking it. A server of one's own is believed to do its best.

    generated_logprobs: log-probabilities of the tokens it writes; prompt_logprobs: those of a given text
    (`Request.scored`); counts_tokens: `Provider.count_tokens` gives numbers; batch: there is a batch mode.
    """

    generated_logprobs: bool
    prompt_logprobs: bool
    counts_tokens: bool
    batch: bool


class Turn(Protocol):
    """A call's turn at a model: from `begin` to `end` it has a place among the calls in flight."""

    async def begin(self) -> None:
        """Waits for the turn; the second time it has come. Raises NoTurn if the call is not to be sent as it is."""
        ...

    def end(self) -> None:
        """Gives the place to another call: the whole answer is there."""
        ...


class NoTurn(RuntimeError):
    """Raised within a provider's call that is not to be sent, or is to be made ready again.

    It is no OSError, as a broken connection would be: HTTP clients send a request again after one of those.
    """


@dataclass(frozen=True)
class AtOnce:
    """The turn of a call that nothing holds back."""

    async def begin(self) -> None:
        """Returns at once."""

    def end(self) -> None:
        """Does nothing."""


AT_ONCE = AtOnce()


class Provider(Protocol):
    """A model's API. It is made, used and closed on one event loop."""

    async def generate(self, request: Request, turn: Turn = AT_ONCE) -> Reply:
        """Sends a request once, in its turn, and returns the reply; raises CallFailed if none came.

        The turn begins when the request is ready to be sent; it may end as soon as a good answer has arrived whole.
        """
        ...

    async def count_tokens(self, request: Request) -> int | None:
        """Returns how many tokens a request's prompt and system instruction are, or None if the provider counts none.

        Costs nothing. Raises CallFailed as `generate` does.
        """
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...
