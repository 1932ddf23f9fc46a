"""The calls of one process to a service of vectors: paced, made again where that helps."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from oreline.encoders.remote.service import said_of_encoder
from oreline.llm.pacing import Pace
from oreline.llm.providers import CallFailed, Embedded, Embedder, FailureKind
from oreline.llm.retrying import Retry, retrying
from oreline.llm.window import Ending

_ENDINGS: dict[FailureKind, Ending] = {"rate": "refused", "transient": "faulty"}
_BYTES_PER_TOKEN = 3.0
"""Before the first answer; afterwards what the answers said."""


@dataclass
class EmbeddingCalls:
    """The calls to one service. For one event loop.

    `sleep` waits between two tries, and returns early when the work is ended.
    """

    service: Embedder
    pace: Pace
    retry: Retry
    sleep: Callable[[float], Awaitable[None]]
    answered: int = field(default=0, init=False)
    _bytes_per_token: float = field(default=_BYTES_PER_TOKEN, init=False)

    def expected(self, texts: Sequence[str]) -> int:
        """Returns about how many tokens some texts are, by the answers so far."""
        return 1 + int(sum(len(text.encode("utf-8", "replace")) for text in texts) / self._bytes_per_token)

    async def make(self, texts: Sequence[str], task: str, dimension: int | None) -> Embedded | None:
        """Returns a vector for each text, None if the pace was closed first.

        Raises CallFailed if none came within the attempts and the time of `retry`. A 429 is not held against a call
        while others are answered: it goes on trying.
        """
        while True:
            before = self.answered
            try:
                return await self._retried(texts, task, dimension)
            except CallFailed as failure:
                if failure.kind != "rate" or self.answered == before:
                    raise

    async def _retried(self, texts: Sequence[str], task: str, dimension: int | None) -> Embedded | None:
        loop = asyncio.get_running_loop()
        begun, held = loop.time(), [0.0]
        async for attempt in retrying(self.retry, self.sleep, lambda: loop.time() - begun - held[0]):
            with attempt:
                return await self._once(texts, task, dimension, held)
        return None

    async def _once(self, texts: Sequence[str], task: str, dimension: int | None, held: list[float]) -> Embedded | None:
        """Makes the call; `held` gets the seconds for which the pace held it back."""
        loop = asyncio.get_running_loop()
        waiting, expected = loop.time(), self.expected(texts)
        permit = await self.pace.enter(expected, lambda: True)
        if permit is None:
            return None
        held[0] += loop.time() - waiting
        ending: Ending = "unrelated"
        tokens: int | None = None
        try:
            embedded = await self.service.embed(texts, task, dimension)
            ending, tokens = "answered", embedded.tokens
            self._check(embedded, texts)
        except CallFailed as failure:
            ending, tokens = _ENDINGS.get(failure.kind, "unrelated"), 0 if failure.kind == "rate" else None
            raise self._heeded(failure) from None
        finally:
            self.pace.leave(permit, ending, tokens)
        self.answered += 1
        if tokens:
            self._bytes_per_token *= expected / tokens if self.answered == 1 else (expected / tokens) ** 0.1
        return embedded

    def _check(self, embedded: Embedded, texts: Sequence[str]) -> None:
        if len(embedded.vectors) != len(texts):
            raise CallFailed(
                "model", f"the service gave {len(embedded.vectors)} vectors for {len(texts)} texts, expected one each"
            )

    def _heeded(self, failure: CallFailed) -> CallFailed:
        """Pauses all calls as long as the service asks; more than anyone would wait is a quota that is used up."""
        message = said_of_encoder(failure.message)
        if failure.retry_after is None or failure.kind not in ("rate", "transient"):
            return CallFailed(failure.kind, message, failure.retry_after)
        if failure.retry_after > self.retry.total:
            asked = f"{message}; it asks to be left alone for {failure.retry_after:,.0f} seconds"
            return CallFailed("quota", f"{asked}, and encoder.call_seconds is {self.retry.total:g}")
        self.pace.pause(failure.retry_after)
        return CallFailed(failure.kind, message, failure.retry_after)
