"""What a provider does: one call, one reply. Retries, journal and budget are not its business."""

from dataclasses import dataclass
from typing import Literal, Protocol

from oreline.llm.requests import AnswerStatus, Request, TokenLogprob

FailureKind = Literal["transient", "rate", "quota", "key", "model", "request"]
"""Why a call gave no reply.

transient: 5xx, timeouts, broken connections; rate: too many requests for now; quota: the day's are used up; key: the
key is wrong or may not do this; model: there is no such model; request: the provider does not take this request.
"""


@dataclass(frozen=True)
class Reply:
    """A provider's answer. Token counts are None where it states none; `output_tokens` leaves thinking out."""

    status: AnswerStatus
    text: str
    reason: str | None = None
    model_version: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    thinking_tokens: int | None = None
    output_tokens: int | None = None
    logprobs: list[TokenLogprob] | None = None


class CallFailed(Exception):
    """A call that gave no reply; `retry_after` is how many seconds the provider wants to be left alone."""

    def __init__(self, kind: FailureKind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


class Provider(Protocol):
    """A model's API. It is made, used and closed on one event loop."""

    async def generate(self, request: Request) -> Reply:
        """Sends a request once and returns the reply; raises CallFailed if none came."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...
