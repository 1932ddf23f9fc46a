"""The calls to one model of a section: paced, made again where that helps, and timed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from oreline.llm.estimates import TokenEstimate
from oreline.llm.pacing import Pace
from oreline.llm.providers import CallFailed, FailureKind, Provider, Reply
from oreline.llm.requests import Answer, Request
from oreline.llm.retrying import Retry, may_pass, retrying
from oreline.llm.turns import CallTurn
from oreline.llm.window import Ending

_ENDINGS: dict[FailureKind, Ending] = {"rate": "refused", "transient": "faulty"}


@dataclass(frozen=True)
class Timed:
    """A reply with the seconds from sending to its end."""

    reply: Reply
    latency: float


def answer_of(
    request: Request, attempt: int, timed: Timed, *, stage: str, provider: str, dollars: float | None
) -> Answer:
    """Returns a reply as the journal holds it; it arrived now."""
    reply = timed.reply
    return Answer(
        request_key=request.key,
        attempt=attempt,
        status=reply.status,
        text=reply.text,
        reason=reply.reason,
        provider=provider,
        model=request.model,
        model_version=reply.model_version,
        stage=stage,
        prompt_id=request.prompt_id,
        prompt_version=request.prompt_version,
        prompt_tokens=reply.prompt_tokens,
        cached_tokens=reply.cached_tokens,
        thinking_tokens=reply.thinking_tokens,
        output_tokens=reply.output_tokens,
        dollars=dollars,
        latency=timed.latency,
        time=datetime.now(UTC).isoformat(),
        logprobs=reply.logprobs,
    )


def _always() -> bool:
    return True


@dataclass
class Calls:
    """The calls of one process to one model. For one event loop.

    `sleep` waits between two tries, and returns early when the engine stops. `answered` counts all replies, `failures`
    the requests in a row that got none, `begun` those on their way; the engine keeps the latter two.
    """

    model: str
    provider: Provider
    pace: Pace
    retry: Retry
    estimate: TokenEstimate
    sleep: Callable[[float], Awaitable[None]]
    answered: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    begun: int = field(default=0, init=False)

    @property
    def takes_more(self) -> bool:
        """Says whether a further request may be begun.

        While requests get no answer, it waits for those that have been begun, also where they wait for their next try:
        a provider that is out of reach is not to be asked for everything before that is told.
        """
        return self.failures == 0 or self.begun < self.pace.window.most

    async def make(self, request: Request, wanted: Callable[[], bool] = _always) -> Timed | None:
        """Returns the reply to a request; None if the pace was closed first, or it is not `wanted` any more.

        Raises CallFailed if none came within the attempts and the time of `retry`. A 429 is not held against a request
        while others of the model are answered: it keeps its place and goes on trying.
        """
        while True:
            before = self.answered
            try:
                return await self._retried(request, wanted)
            except CallFailed as failure:
                if failure.kind != "rate" or self.answered == before:
                    raise

    async def _retried(self, request: Request, wanted: Callable[[], bool]) -> Timed | None:
        watch = _Watch()
        try:
            return await self._once(request, watch, wanted)
        except CallFailed as failure:
            if not may_pass(failure):
                raise
            first = failure
        # Most calls need no retry, and taking them through tenacity would cost each a tenth of a millisecond.
        async for attempt in retrying(self.retry, self.sleep, watch.spent):
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise first
                return await self._once(request, watch, wanted)
        return None

    async def _once(self, request: Request, watch: "_Watch", wanted: Callable[[], bool]) -> Timed | None:
        turn = CallTurn(self.pace, 0 if self.pace.tokens is None else self.estimate.of(request), wanted)
        ending: Ending = "unrelated"
        tokens: int | None = None
        try:
            reply = await self._generated(request, turn)
            ending, tokens = "answered", self.estimate.learn(request, reply)
        except CallFailed as failure:
            if turn.refused:
                return None
            ending, tokens = _ENDINGS.get(failure.kind, "unrelated"), 0 if failure.kind == "rate" else None
            self._heed(failure)
            raise
        finally:
            watch.held += turn.held
            turn.leave(ending, tokens)
        self.answered += 1
        self.failures = 0
        return Timed(reply, turn.seconds)

    async def _generated(self, request: Request, turn: CallTurn) -> Reply:
        try:
            return await self.provider.generate(request, turn)
        except CallFailed:
            if not turn.stale:
                raise
        return await self.provider.generate(request, turn)

    def _heed(self, failure: CallFailed) -> None:
        """Pauses all calls as long as the provider asks; raises CallFailed if that is longer than anyone would wait."""
        if failure.retry_after is None or failure.kind not in ("rate", "transient"):
            return
        if failure.retry_after > self.retry.total:
            asked = f"{failure.message}; it asks to be left alone for {failure.retry_after:,.0f} seconds"
            raise CallFailed("quota", f"{asked}, and llm.call_seconds is {self.retry.total:g}") from failure
        self.pace.pause(failure.retry_after)


@dataclass
class _Watch:
    """The time that a call takes of its own, without `held`, the seconds for which its pace held it back."""

    begun: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    held: float = 0.0

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def spent(self) -> float:
        return self.now() - self.begun - self.held
