"""Filling the journal: the requests of some lanes go in, their answers come out. No Beam here."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from oreline.heartbeat import Heartbeat
from oreline.job import Job, StageWriter
from oreline.llm.attempts import Settled, weigh
from oreline.llm.engine import Engine, Outcome
from oreline.llm.journal import Attempts
from oreline.llm.requests import Answered
from oreline.llm.rows import AnsweredRow, AnsweredScatter, RequestRow, read_requests
from oreline.llm.stopping import INTERRUPTED
from oreline.llm.task import Task
from oreline.recipe.settings import Llm
from oreline.shuffle import Reference

_LOOK_SECONDS = 0.5
"""How often a wait looks whether the user wants to stop."""

_AHEAD = 2
"""Requests submitted per place in the window, so that the window never runs dry."""

_Finished = tuple[list[RequestRow], Outcome]


class Filling:
    """The filling of some lanes' journal, say those of a bundle. Its books are in the report at its end.

    A lane belongs to one filling at a time: it reads the lane's journal and sends only what is not there.
    """

    def __init__(
        self, job: Job, llm: Llm, task: Task, engine: Engine, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._job, self._llm, self._task, self._engine = job, llm, task, engine
        self._most_pending = _AHEAD * engine.window
        self._pending = 0
        self._finished: queue.SimpleQueue[_Finished] = queue.SimpleQueue()
        self._given_up = threading.Event()
        self._scatter = AnsweredScatter(job)
        self._counts: Counter[str] = Counter()
        self._dollars = 0.0
        self._heartbeat = Heartbeat(job)
        self._unsent = 0
        self._clock = clock
        self._looked = float("-inf")  # so that bundles shorter than a look stop too

    def lane(self, lane: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """Takes a lane's requests; yields references to answered rows, whichever are ready."""
        self._look()
        rows = read_requests(references)
        while not self._engine.settled(lane, _LOOK_SECONDS):
            self._look()
        contents = self._engine.open_lane(lane, {row.request.key for row in rows})
        if contents is None:  # the engine has stopped, for this or before, and its report says why
            self._unsent += len(rows)
            return
        if contents.broken:
            self._counts["journal_broken_files"] += len(contents.broken)
        if contents.repeated:
            self._counts["journal_repeated_answers"] += contents.repeated
        journaled = contents.answers
        for key, equal in groupby(rows, key=lambda row: row.request.key):
            yield from self._begin(list(equal), journaled.get(key, {}))

    def finish(self) -> Iterator[Reference]:
        """Waits for all answers, journals them, and yields references to the answered rows that are left."""
        while self._pending:
            yield from self._take()
        self._engine.flush()
        yield from self._scatter.close()
        self._heartbeat.flush()

    def abandon(self) -> None:
        """Gives up, if it has not finished: waits for what is in flight and journals it, and sends nothing more.

        Whoever takes the same lanes again, here or on another machine, must find those answers.
        """
        self._given_up.set()
        self._engine.forget_unwanted()
        while self._pending:
            try:
                self._finished.get(timeout=_LOOK_SECONDS)
                self._pending -= 1
            except queue.Empty:
                self._look()
        self._engine.flush()

    def report(self) -> bytes:
        """Returns the encoded report, to be made after `finish`: what was sent and paid, and why it stopped, if so."""
        writer = StageWriter(self._job)
        for name, number in sorted(self._counts.items()):
            writer.count(name, number)
        if self._dollars:
            writer.count("microdollars", round(self._dollars * 1e6))
        stop = self._engine.stopped
        if stop is None or (not self._unsent and stop.failure is None):
            return writer.close().encode()
        return writer.close(stopped=stop.stopped, failure=stop.failure, message=stop.message).encode()

    def _begin(self, rows: list[RequestRow], attempts: Attempts) -> Iterator[Reference]:
        request = rows[0].request
        if isinstance(verdict := weigh(request, attempts, self._task.usable, self._llm.attempts), Settled):
            self._counts["journal_hits"] += 1
            yield from self._emit(rows, verdict)
            return
        while self._pending >= self._most_pending:
            yield from self._take()
        if self._engine.stopped is not None:
            self._unsent += 1
            return
        self._pending += 1
        self._engine.submit(request, self._task.usable, attempts, _Asker(rows, self._finished, self._given_up))

    def _take(self) -> Iterator[Reference]:
        """Waits for one outcome, a while at most, and emits it."""
        try:
            rows, outcome = self._finished.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            self._look()
            return
        self._pending -= 1  # before anything can fail: `abandon` waits for as many as are pending
        self._look()
        if outcome.error is not None:
            raise outcome.error
        self._book(outcome)
        if outcome.settled is None:
            self._unsent += 1
        else:
            yield from self._emit(rows, outcome.settled)

    def _book(self, outcome: Outcome) -> None:
        for answer in outcome.paid:
            output = (answer.output_tokens or 0) + (answer.thinking_tokens or 0)
            self._counts["paid_requests"] += 1
            self._counts["prompt_tokens"] += answer.prompt_tokens or 0
            self._counts["output_tokens"] += output
            self._heartbeat.add(answer.billed_tokens, "tokens")
        told = round(self._dollars * 1e6)
        self._dollars += outcome.dollars
        if (more := round(self._dollars * 1e6) - told) > 0:
            self._heartbeat.add(more, "microdollars")

    def _look(self) -> None:
        """Passes on the user's wish to stop, looking for it now and then."""
        if self._clock() - self._looked < _LOOK_SECONDS:
            return
        self._looked = self._clock()
        if self._job.stop_requested():
            self._engine.stop(INTERRUPTED)

    def _emit(self, rows: list[RequestRow], settled: Settled) -> Iterator[Reference]:
        self._heartbeat.add(len(rows), "requests")
        for row in rows:
            # The answer's reader needs ids and context; the prompt would be most of what a block holds in memory.
            request = replace(row.request, system=None, prompt="", answer_schema="")
            answered = Answered(request, settled.answer, settled.reject, settled.detail)
            yield from self._scatter.write(AnsweredRow(row.block, row.place, answered))


@dataclass(frozen=True)
class _Asker:
    """Hands an outcome from the event loop's thread to the filling's."""

    rows: list[RequestRow]
    finished: "queue.SimpleQueue[_Finished]"
    given_up: threading.Event

    @property
    def wants(self) -> bool:
        """Says whether the filling goes on."""
        return not self.given_up.is_set()

    def take(self, outcome: Outcome) -> None:
        """Queues the outcome."""
        self.finished.put((self.rows, outcome))
