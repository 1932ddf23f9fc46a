"""An encoder behind an API: texts go out in paced calls from an event loop of its own, vectors come as they arrive."""

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from oreline.encoders.identity import EncoderIdentity
from oreline.encoders.prefixes import prefixes_of
from oreline.encoders.protocol import Float16, Flush
from oreline.encoders.remote.batching import Batch, batches
from oreline.encoders.remote.calls import EmbeddingCalls
from oreline.encoders.remote.service import (
    budget_of,
    open_service,
    sent_dimension,
    texts_per_call,
    tokens_read,
)
from oreline.encoders.remote.stops import REFUSALS, all_refused, budget_used, stop_for, too_short
from oreline.encoders.units import unit_float16
from oreline.errors import CallError
from oreline.llm.budget import Meter
from oreline.llm.minutes import MinuteLimit
from oreline.llm.pacing import Pace
from oreline.llm.providers import CallFailed, Embedded
from oreline.llm.retrying import Retry
from oreline.llm.stopping import Stop
from oreline.llm.window import Window
from oreline.recipe.settings import Encoder

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
"""How often it is asked whether the user has ended the work."""

_CHARACTERS_PER_TOKEN = 4

_Arrived = tuple[list[int], Float16]


@dataclass
class _Work:
    """The batches of one call of `encode`, and where their vectors go; None ends them, an error breaks them off."""

    calls: EmbeddingCalls
    waiting: deque[Batch]
    arrived: "queue.Queue[_Arrived | BaseException | None]"
    keys: Sequence[str]
    ended: bool = False


class RemoteEncoder:
    """One service, asked by one of `workers` processes, which know nothing of each other and share rates and budget."""

    flush = Flush(texts=64, seconds=2.0)

    def __init__(self, identity: EncoderIdentity, settings: Encoder, workers: int) -> None:
        self.identity = identity
        self.refused: dict[str, str] = {}
        self.stopped: Stop | None = None
        self._settings = settings
        self._tasks = bool(prefixes_of(settings).document_task)
        self._meter = Meter(budget_of(settings).divided(workers))
        share = 1 / workers
        self._pace = Pace(
            Window(max(1, settings.concurrency // workers)),
            None if settings.requests_per_minute is None else MinuteLimit(settings.requests_per_minute * share),
            None if settings.tokens_per_minute is None else MinuteLimit(settings.tokens_per_minute * share),
        )
        retry = Retry(attempts=settings.call_attempts, total=settings.call_seconds)
        self._refusals = 0
        self._warned = False
        self._working = 0
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._calls: EmbeddingCalls | None = None
        try:
            self._calls = EmbeddingCalls(open_service(settings), self._pace, retry, self._sleep)
        except CallError as error:  # of a worker that lacks what the machine that began the run has
            self.stopped = Stop(f"encoder: {error}", stopped="key")
        # A client's connections live on one loop, so they are closed after each call of `encode`, and the loop stays.
        threading.Thread(target=self._loop.run_forever, name="oreline-encoder", daemon=True).start()

    @property
    def facts(self) -> Mapping[str, str]:
        """Nothing: what a service did is told in the log, as it may differ from worker to worker."""
        return {}

    def encode(
        self, texts: Sequence[str], keys: Sequence[str], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[list[int], Float16]]:
        """Yields (places, vectors) as they arrive; see `TextEncoder`.

        A text that the service refuses is a row of NaN and has its reason in `refused`. Once `stop` says so, or the
        service stops, nothing more is sent; what is on its way is waited for.
        """
        if self._calls is None or self.stopped is not None:
            return
        self._warn_of_long(texts)
        found = deque(batches(texts, texts_per_call(self._settings), tasks=self._tasks))
        nothing: Float16 = np.zeros((0, self.identity.dimension), np.float16)
        work = _Work(self._calls, found, queue.Queue(), keys)
        asyncio.run_coroutine_threadsafe(self._run(work), self._loop)
        try:
            while True:
                if not work.ended and stop():
                    work.ended = True
                    self._loop.call_soon_threadsafe(self._end)
                try:
                    arrived = work.arrived.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    yield [], nothing
                    continue
                if arrived is None:
                    return
                if isinstance(arrived, BaseException):
                    raise arrived
                yield arrived
        finally:
            work.ended = True

    async def _run(self, work: _Work) -> None:
        """Sends all batches, as many at once as the window allows; the last to work closes the connections."""
        self._working += 1
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(len(work.waiting), self._pace.window.most)):
                    group.create_task(self._send(work))
        except BaseExceptionGroup as errors:  # a fault of the program: whoever encodes is told
            work.arrived.put(errors)
        finally:
            self._working -= 1
            if self._working == 0:
                await work.calls.service.close()
            work.arrived.put(None)

    async def _send(self, work: _Work) -> None:
        while work.waiting and not work.ended and self.stopped is None:
            batch = work.waiting.popleft()
            reservation = (batch.most_tokens, self._meter.budget.cost(0, batch.most_tokens, 0))
            if not self._meter.fits(reservation):
                if not self._meter.idle:
                    work.waiting.appendleft(batch)
                    await asyncio.sleep(_LOOK_SECONDS)  # what is in flight may make room
                elif len(batch.places) > 1:
                    work.waiting.extendleft(reversed(batch.halves()))
                else:
                    self._halt(budget_used(self._meter))
                continue
            self._meter.reserve(reservation)
            try:
                embedded = await work.calls.make(batch.texts, batch.task, sent_dimension(self._settings))
            except CallFailed as failure:
                self._failed(failure, batch, work)
                continue
            finally:
                self._meter.release(reservation)
            if embedded is not None:
                self._take(embedded, batch, work)

    def _take(self, embedded: Embedded, batch: Batch, work: _Work) -> None:
        tokens = batch.most_tokens if embedded.tokens is None else embedded.tokens
        self._meter.add(tokens, self._meter.budget.cost(0, tokens, 0), workers=1)
        self._refusals = -1  # it takes texts: what it refuses from now on is a matter of the text
        if embedded.cut and not self._warned:
            self._warned = True
            _LOG.warning("encoder %s: the service cut a text that is too long for it; more may follow", self._name)
        shortest = min((len(each) for each in embedded.vectors if len(each)), default=0)
        if 0 < shortest < self.identity.dimension:
            self._halt(too_short(shortest, self.identity.dimension, self._settings))
            return
        rows = np.full((len(batch.places), self.identity.dimension), np.nan, np.float32)
        for row, vector in enumerate(embedded.vectors):
            if len(vector):
                rows[row] = vector[: self.identity.dimension]
        work.arrived.put((batch.places, unit_float16(rows)))

    def _failed(self, failure: CallFailed, batch: Batch, work: _Work) -> None:
        """Sends texts again, apart, that were refused together; one that is refused alone has no vector."""
        if failure.kind != "request":
            self._halt(stop_for(failure, self._settings))
        elif len(batch.places) > 1:
            work.waiting.extendleft(reversed(batch.halves()))
        else:
            if self._refusals >= 0:
                self._refusals += 1
                if self._refusals >= REFUSALS:
                    self._halt(all_refused(failure, self._settings))
                    return
            self.refused[work.keys[batch.places[0]]] = f"{self._name} does not take it: {failure.message}"
            nothing = np.full((1, self.identity.dimension), np.nan, np.float16)
            work.arrived.put((batch.places, nothing))

    @property
    def _name(self) -> str:
        return self._settings.server or self._settings.provider

    def _warn_of_long(self, texts: Sequence[str]) -> None:
        """Tells of texts that the model cannot read to their end, where the service cuts them without a word."""
        most = tokens_read(self._settings)
        if most is None or self._warned:
            return
        long = sum(len(text) > most * _CHARACTERS_PER_TOKEN for text in texts)
        if long:
            self._warned = True
            _LOG.warning(
                "encoder %s: about %s of the first %s texts are longer than the %s tokens that it reads; the service "
                "cuts them without a word: chunk the documents, or take a model that reads more",
                self._settings.model, f"{long:,}", f"{len(texts):,}", f"{most:,}",
            )  # fmt: skip

    def _halt(self, stop: Stop) -> None:
        if self.stopped is None:
            self.stopped = stop
            self._end()

    def _end(self) -> None:
        self._stopping.set()
        self._pace.close()

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, but not beyond a stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
