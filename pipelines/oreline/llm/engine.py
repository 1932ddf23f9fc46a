"""The engine: one event loop per process that keeps a window of calls in flight and journals what comes back."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from oreline.errors import CallError
from oreline.job import StopKind
from oreline.llm import journal
from oreline.llm.attempts import Ask, Settled, Usable, weigh
from oreline.llm.budget import Budget, Meter
from oreline.llm.identity import provider_identity
from oreline.llm.providers import CallFailed, Provider
from oreline.llm.requests import Answer, Request
from oreline.llm.retrying import Retry, retrying
from oreline.recipe.settings import Llm

_LOG = logging.getLogger(__name__)

FLUSH_ANSWERS = 64
FLUSH_SECONDS = 2.0
MOST_FAILURES = 10
"""After so many requests in a row without any answer, the provider is taken to be out of reach."""


@dataclass(frozen=True)
class Stop:
    """Why no more requests are sent: an expected stop, or a failure with its code."""

    message: str
    stopped: StopKind | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a submitted request: how it settled, None if a stop came first; what was newly paid for."""

    settled: Settled | None
    paid: tuple[Answer, ...] = ()
    dollars: float = 0.0


@dataclass
class _Course:
    """One submitted request on its way."""

    request: Request
    usable: Usable
    attempts: dict[int, Answer]
    paid: list[Answer] = field(default_factory=list)
    dollars: float = 0.0


class Engine:
    """Sends requests within a window and a budget, and journals every answer as it arrives.

    `window` is the number of calls in flight. Make it, `submit` from any thread, `flush`, and `close` it.
    """

    def __init__(
        self,
        cache: str,
        stage: str,
        llm: Llm,
        *,
        open_provider: Callable[[Llm], Provider],
        budget: Budget,
        retry: Retry,
    ) -> None:
        self._cache, self._stage, self._llm, self._retry = cache, stage, llm, retry
        self._identity = provider_identity(llm)
        self._meter = Meter(budget)
        self._failures = 0
        self._stop: Stop | None = None
        self._waiting: list[Answer] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="oreline-journal")
        self._loop = asyncio.new_event_loop()
        self._window = asyncio.Semaphore(max(1, llm.concurrency // llm.workers))
        self._room = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._provider: Provider | None = None
        try:
            self._provider = open_provider(llm)
        except CallError as error:
            self._stop = Stop(str(error), stopped="key")
        self._thread = threading.Thread(target=self._loop.run_forever, name="oreline-llm", daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> Stop | None:
        """Why no more requests are sent, or None."""
        return self._stop

    @property
    def meter(self) -> Meter:
        """What was spent."""
        return self._meter

    def submit(
        self, request: Request, usable: Usable, attempts: journal.Attempts, done: Callable[[Outcome], None]
    ) -> "Future[None]":
        """Takes a request with its journaled attempts; `done` is called, on the loop's thread, with its outcome.

        The future ends after `done`, with the error if `usable` raised one.
        """
        course = _Course(request, usable, dict(attempts))
        return asyncio.run_coroutine_threadsafe(self._run(course, done), self._loop)

    def stop(self, stop: Stop) -> None:
        """Sends nothing more; what is in flight comes to its end. The first stop is the one that counts."""
        self._loop.call_soon_threadsafe(self._halt, stop)

    def flush(self) -> None:
        """Waits until every answer that came is in the journal."""
        asyncio.run_coroutine_threadsafe(self._flush(), self._loop).result()

    def close(self) -> None:
        """Waits for what is in flight, journals it, closes the connections and ends the loop."""
        asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result()
        if self._provider is not None:
            asyncio.run_coroutine_threadsafe(self._provider.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._writer.shutdown()

    async def _run(self, course: _Course, done: Callable[[Outcome], None]) -> None:
        settled = await self._settle(course)
        done(Outcome(settled, tuple(course.paid), course.dollars))

    async def _settle(self, course: _Course) -> Settled | None:
        while True:
            verdict = weigh(course.request, course.attempts, course.usable, self._llm.attempts)
            if isinstance(verdict, Settled):
                return verdict
            answer = await self._ask(course, verdict)
            if not isinstance(answer, Answer):
                return answer
            course.attempts[answer.attempt] = answer

    async def _ask(self, course: _Course, ask: Ask) -> Answer | Settled | None:
        """Makes an attempt: returns its answer, a reject if none came, or None if a stop came first."""
        reservation = self._meter.reservation(course.request, self._llm.max_output_tokens)
        async with self._window:
            if not await self._reserve(reservation):
                return None
            try:
                answer = await self._call(course.request, ask.number)
            except CallFailed as failure:
                return self._failed(failure)
            finally:
                async with self._room:
                    self._meter.release(reservation)
                    self._room.notify_all()
            if answer is None:
                return None
            course.paid.append(answer)
            course.dollars += self._meter.spend(answer)
        self._failures = 0
        self._keep(answer)
        return answer

    async def _reserve(self, reservation: tuple[int, float]) -> bool:
        async with self._room:
            while self._stop is None and not self._meter.fits(reservation):
                if self._meter.idle:
                    self._halt(self._budget_stop())
                else:
                    await self._room.wait()
            if self._stop is not None:
                return False
            self._meter.reserve(reservation)
            return True

    async def _call(self, request: Request, number: int) -> Answer | None:
        provider = self._provider
        if provider is None:
            return None
        async for attempt in retrying(self._retry, self._sleep):
            with attempt:
                if self._stop is not None:
                    return None
                begun = time.monotonic()
                reply = await provider.generate(request)
                return Answer(
                    request_key=request.key,
                    attempt=number,
                    status=reply.status,
                    text=reply.text,
                    reason=reply.reason,
                    provider=self._identity,
                    model=request.model,
                    model_version=reply.model_version,
                    stage=self._stage,
                    prompt_id=request.prompt_id,
                    prompt_version=request.prompt_version,
                    prompt_tokens=reply.prompt_tokens,
                    cached_tokens=reply.cached_tokens,
                    thinking_tokens=reply.thinking_tokens,
                    output_tokens=reply.output_tokens,
                    dollars=None,
                    latency=time.monotonic() - begun,
                    time=datetime.now(UTC).isoformat(),
                    logprobs=reply.logprobs,
                )
        return None

    def _failed(self, failure: CallFailed) -> Settled | None:
        """Says what a call without a reply means: a stop for all, or a reject for this request."""
        again = "everything answered is in the journal; run again to go on"
        if failure.kind == "key":
            self._halt(Stop(f"the provider does not accept the key ({failure.message}); {again}", stopped="key"))
        elif failure.kind in ("rate", "quota"):
            self._halt(Stop(f"the provider's quota is used up ({failure.message}); {again}", stopped="quota"))
        elif failure.kind == "model":
            self._halt(
                Stop(f"llm.model {self._llm.model!r}: {failure.message}; name a model that is there", failure="model")
            )
        elif self._stop is None:
            self._failures += 1
            if self._failures < MOST_FAILURES:
                return Settled(None, "no_answer", failure.message)
            message = f"{self._failures} requests in a row got no answer (the last: {failure.message}); {again}"
            self._halt(Stop(message, failure="provider"))
        return None

    def _halt(self, stop: Stop) -> None:
        if self._stop is None:
            self._stop = stop
            self._stopping.set()

    def _budget_stop(self) -> Stop:
        meter, budget = self._meter, self._meter.budget
        share = "" if self._llm.workers == 1 else f" (the share of one of {self._llm.workers} workers)"
        money = "" if budget.price is None else f", {meter.dollars:.4f} dollars"
        name = "llm.budget_tokens" if budget.dollars is None else "llm.budget_usd"
        return Stop(
            f"the budget of {budget}{share} has no room for another request: {meter.tokens:,} tokens{money} are spent; "
            f"everything answered is in the journal; raise {name} and run again to go on",
            stopped="budget",
        )

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, but not beyond a stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _keep(self, answer: Answer) -> None:
        self._waiting.append(answer)
        if len(self._waiting) >= FLUSH_ANSWERS:
            self._begin_write()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self._begin_write)

    def _begin_write(self) -> "asyncio.Future[None] | None":
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return None
        answers, self._waiting = self._waiting, []
        return self._loop.run_in_executor(self._writer, self._write, answers)

    def _write(self, answers: list[Answer]) -> None:
        """Runs on the journal's own thread, one write after the other."""
        try:
            journal.append(self._cache, answers)
        except OSError as error:
            _LOG.error("the journal below %s cannot be written: %s", self._cache, error)
            stop = Stop(f"the journal below {self._cache} cannot be written ({error}); make room", failure="journal")
            self._loop.call_soon_threadsafe(self._halt, stop)

    async def _drain(self) -> None:
        self._halt(Stop("the engine was closed", stopped="interrupted"))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await self._flush()

    async def _flush(self) -> None:
        self._begin_write()
        await self._loop.run_in_executor(self._writer, lambda: None)
