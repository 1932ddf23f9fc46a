"""From answers as they arrive to segments of the journal: gathered for a while, written on a thread of its own."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from oreline.llm.journal import Journal
from oreline.llm.requests import Answer

_LOG = logging.getLogger(__name__)

FLUSH_ANSWERS = 64
FLUSH_SECONDS = 2.0


class Journaling:
    """Writes answers every 64 of them or 2 seconds, whichever comes first. For one event loop.

    `failed` is called on the loop's thread with the error of a write that failed.
    """

    def __init__(self, journal: Journal, loop: asyncio.AbstractEventLoop, failed: Callable[[OSError], None]) -> None:
        self._journal, self._loop, self._failed = journal, loop, failed
        self._waiting: list[Answer] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writes: list[asyncio.Future[None]] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="oreline-journal")

    def keep(self, answer: Answer) -> None:
        """Takes an answer."""
        self._waiting.append(answer)
        if len(self._waiting) >= FLUSH_ANSWERS:
            self._begin()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self._begin)

    async def flush(self) -> None:
        """Returns when every answer that was taken is written, or its write has failed.

        Raises what a write raised that is no OSError: answers that the journal cannot hold must not vanish unseen.
        """
        self._begin()
        writes, self._writes = self._writes, []
        await asyncio.gather(*writes)
        await self._loop.run_in_executor(self._writer, lambda: None)

    def close(self) -> None:
        """Ends the thread."""
        self._writer.shutdown()

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            answers, self._waiting = self._waiting, []
            self._writes.append(self._loop.run_in_executor(self._writer, self._write, answers))

    def _write(self, answers: list[Answer]) -> None:
        """Runs on the journal's own thread, one write after the other."""
        try:
            self._journal.append(answers)
        except OSError as error:
            _LOG.error("%d answers could not be written to the journal: %s", len(answers), error)
            self._loop.call_soon_threadsafe(self._failed, error)
