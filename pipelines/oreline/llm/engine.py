"""The engine: one event loop per process that sends requests to a section's models and journals what comes back."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from oreline.errors import CallError
from oreline.llm.accounts import Account
from oreline.llm.attempts import Ask, Settled, Usable, weigh
from oreline.llm.calls import Calls, Timed, answer_of
from oreline.llm.estimates import TokenEstimate
from oreline.llm.identity import provider_identity
from oreline.llm.journal import NOBODY, Attempts, Journal, LaneContents
from oreline.llm.journaling import Journaling
from oreline.llm.pacing import Pace
from oreline.llm.providers import CallFailed, Provider
from oreline.llm.recent import recent_calls
from oreline.llm.requests import Answer, Request
from oreline.llm.retrying import Retry
from oreline.llm.stopping import Stop, budget_used, journal_unusable, out_of_reach, stop_for
from oreline.llm.underway import Underway
from oreline.reasons import UNANSWERED
from oreline.recipe.settings import Llm

MOST_FAILURES = 10
"""After so many requests in a row without any answer, a provider is taken to be out of reach."""


@dataclass(frozen=True)
class Outcome:
    """What became of a submitted request: how it settled, None if a stop came first; what was newly paid for.

    `error` is what the task's own code raised.
    """

    settled: Settled | None
    paid: tuple[Answer, ...] = ()
    dollars: float = 0.0
    error: BaseException | None = None


class Asker(Protocol):
    """Who submitted a request."""

    @property
    def wants(self) -> bool:
        """Says whether the answer is still wanted; if not, it is not asked for any more."""
        ...

    def take(self, outcome: Outcome) -> None:
        """Takes what became of the request, on the loop's thread."""
        ...


@dataclass
class _Course:
    """One submitted request on its way."""

    request: Request
    usable: Usable
    attempts: dict[int, Answer]
    asker: Asker
    paid: list[Answer] = field(default_factory=list)
    dollars: float = 0.0


class Engine:
    """Sends requests to the models of a section, each at its own pace, within a budget that they share.

    Every answer is journaled as it arrives. Make it, `submit` from any thread, `flush`, and `close` it. What stops one
    model stops all. `account` is this process's; `retry` is each model's own unless it is given.
    """

    def __init__(
        self,
        cache: str,
        stage: str,
        llm: Llm,
        *,
        open_provider: Callable[[Llm], Provider],
        account: Account,
        retry: Retry | None = None,
        owner: str = NOBODY,
    ) -> None:
        self._cache, self._stage, self._llm = cache, stage, llm
        self._members = llm.members()
        self._identities = [provider_identity(each) for each in self._members]
        self.account = account
        self._meter = account.meter
        self._stop: Stop | None = None
        self._stopping = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._paces = [self._pace(each) for each in self._members]
        self._underway = Underway()
        self._tasks: set[asyncio.Task[Settled | None]] = set()
        self._for_room: list[asyncio.Future[None]] = []
        self._submitted: deque[_Course] = deque()
        self._journal = Journal(cache, owner)
        self._journaling = Journaling(self._journal, self._loop, lambda error: self._halt(self._unusable(error)))
        self._calls = self._open(open_provider, retry)
        try:
            self._journal.begin()
        except OSError as error:
            self._halt(self._unusable(error))
        self._thread = threading.Thread(target=self._loop.run_forever, name="oreline-llm", daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> Stop | None:
        """Why no more requests are sent, or None."""
        return self._stop

    @property
    def window(self) -> int:
        """Calls that may be in flight at most, over all models."""
        return sum(pace.window.most for pace in self._paces)

    def open_lane(self, lane: int, keys: Collection[str]) -> LaneContents | None:
        """Returns a lane's journaled answers to some requests; None, and the engine stops, if it cannot be read."""
        try:
            return self._journal.open_lane(lane, keys)
        except OSError as error:
            self.stop(self._unusable(error))
            return None

    def settled(self, lane: int, seconds: float) -> bool:
        """Says whether the journal holds all answers of a lane that were asked for; waits for them so long at most.

        Requests that a broken bundle left on their way would be paid twice if its lane were read before.
        """
        if self._underway.journaled(lane):
            return True
        if not self._underway.wait(lane, seconds):
            return False
        self.flush()
        return True

    def forget_unwanted(self) -> None:
        """Sends back the requests that no asker wants any more and that are not on their way yet."""
        self._loop.call_soon_threadsafe(self._forget_unwanted)

    def submit(self, request: Request, usable: Usable, attempts: Attempts, asker: Asker) -> None:
        """Takes a request with its journaled attempts; the asker is told its outcome."""
        self._underway.begin(request.lane)
        course = _Course(request, usable, dict(attempts), asker)
        self._loop.call_soon_threadsafe(self._arrived, course)

    def stop(self, stop: Stop) -> None:
        """Sends nothing more; what is in flight comes to its end. The first stop is the one that counts."""
        self._loop.call_soon_threadsafe(self._halt, stop)

    def flush(self) -> None:
        """Waits until every answer that came is in the journal."""
        quiet = self._underway.quiet()
        asyncio.run_coroutine_threadsafe(self._journaling.flush(), self._loop).result()
        self._underway.keep(quiet)

    def close(self) -> None:
        """Waits for what is in flight, journals it, closes the connections and ends the loop."""
        try:
            asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._journaling.close()

    def _pace(self, member: Llm) -> Pace:
        pace = Pace.of(member)
        if pace.limited:
            calls = recent_calls(self._cache, member, datetime.now(UTC))
            pace.remember(calls, 1 / member.workers, self._loop.time())
        return pace

    def _open(self, open_provider: Callable[[Llm], Provider], retry: Retry | None) -> list[Calls]:
        """Returns the calls to each model; none, and the engine is stopped, if one of them cannot be opened."""
        calls = []
        for member, pace in zip(self._members, self._paces, strict=True):
            try:
                provider = open_provider(member)
            except CallError as error:
                self._halt(Stop(f"{member.model}: {error}" if len(self._members) > 1 else str(error), stopped="key"))
                return []
            estimate = TokenEstimate(member.max_output_tokens)
            calls.append(Calls(member.model, provider, pace, retry or Retry.of(member), estimate, self._sleep))
        return calls

    def _arrived(self, course: _Course) -> None:
        self._submitted.append(course)
        if len(self._submitted) == 1:
            self._loop.call_soon(self._begin_next)

    def _begin_next(self) -> None:
        """Begins the requests that were submitted, one per round of the loop, which sends those before it in between.

        All at once, the first would wait for the last to be made ready, and so at every beginning of a bundle.
        """
        if self._submitted:
            self._loop.call_soon(self._begin_next)
            self._begin(self._submitted.popleft())

    def _begin(self, course: _Course) -> None:
        task = self._loop.create_task(self._settle(course))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, course))

    def _ended(self, course: _Course, task: "asyncio.Task[Settled | None]") -> None:
        self._tasks.discard(task)
        # A library that cancels a call of its own accord must not leave its asker waiting.
        error = RuntimeError("a call was cancelled by nobody here") if task.cancelled() else task.exception()
        settled = task.result() if error is None else None
        self._underway.end(course.request.lane)
        course.asker.take(Outcome(settled, tuple(course.paid), course.dollars, error))

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
        request = course.request
        calls = self._calls[request.member]
        # A model may think for more tokens than it answers in; how many is known once it has.
        most_output = max(self._members[request.member].max_output_tokens, calls.estimate.largest_output)
        reservation = self._meter.reservation(request, most_output)
        if not await self._reserve(reservation, course.asker, calls):
            return None
        calls.begun += 1
        try:
            timed = await calls.make(request, lambda: course.asker.wants)
            return None if timed is None else self._answered(course, ask, timed)
        except CallFailed as failure:
            return self._failed(failure, calls)
        finally:
            calls.begun -= 1
            self._meter.release(reservation)
            self._make_room()

    def _answered(self, course: _Course, ask: Ask, timed: Timed) -> Answer:
        request, member = course.request, course.request.member
        dollars = self._meter.price(timed.reply, member)
        answer = answer_of(
            request, ask.number, timed, stage=self._stage, provider=self._identities[member], dollars=dollars
        )
        course.paid.append(answer)
        course.dollars += self._meter.spend(answer, request)
        self._journaling.keep(answer)
        return answer

    async def _reserve(self, reservation: tuple[int, float], asker: Asker, calls: Calls) -> bool:
        """Waits for room in the budget and at the model; returns False if a stop comes first, or there will be none."""
        while self._stop is None and asker.wants:
            if calls.takes_more and self._meter.fits(reservation):
                self._meter.reserve(reservation)
                return True
            if calls.takes_more and self._meter.idle:
                self._halt(budget_used(self.account, self._stage))
                break
            room: asyncio.Future[None] = self._loop.create_future()
            self._for_room.append(room)
            await room
        return False

    def _make_room(self) -> None:
        waiting, self._for_room = self._for_room, []
        for each in waiting:
            each.set_result(None)

    def _forget_unwanted(self) -> None:
        for pace in self._paces:
            pace.forget_unwanted()
        self._make_room()

    def _failed(self, failure: CallFailed, calls: Calls) -> Settled | None:
        """Says what a call without a reply means: a stop for all, or a reject for this request."""
        stop = stop_for(failure, calls.model)
        if stop is None and self._stop is None:
            if failure.kind == "request":  # who refuses a request is within reach; it will be refused tomorrow too
                calls.failures = 0
                return Settled(None, "not_taken", failure.message)
            calls.failures += 1
            if calls.failures < MOST_FAILURES:
                return Settled(None, UNANSWERED, failure.message)
            stop = out_of_reach(failure, calls.model, calls.failures)
        if stop is not None:
            self._halt(stop)
        return None

    def _halt(self, stop: Stop) -> None:
        if self._stop is None:
            self._stop = stop
            self._stopping.set()
            for pace in self._paces:
                pace.close()
            self._make_room()

    def _unusable(self, error: OSError) -> Stop:
        return journal_unusable(self._cache, error)

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, but not beyond a stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _drain(self) -> None:
        self._halt(Stop("the engine was closed", stopped="interrupted"))
        while self._submitted:
            self._begin(self._submitted.popleft())
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._journaling.flush()
        finally:
            for calls in self._calls:
                await calls.provider.close()
