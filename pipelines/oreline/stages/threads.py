"""Threads within a worker: for steps that work outside the interpreter's lock, in kernels and in Arrow.

A worker process of Beam costs its start, and a worker thread of Beam's local runner all of its bookkeeping once more;
threads of the step itself cost neither.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows, WindowedValue

from oreline.job import Job
from oreline.stages.catalog import stage_workers
from oreline.stages.routing import Keyed

Work = Callable[..., Iterable[object]]
"""What is done with a key and its references, and with a side input; yields what the step yields."""


def threads_of(job: Job) -> int:
    """Returns the threads of a stage's steps: on one machine as many as it has workers, elsewhere one a worker."""
    return stage_workers(job.recipe, job.stage) if job.recipe.beam.runner == "local" else 1


class Threaded(beam.DoFn):
    """Works on several elements of a bundle at a time; their outputs come in the order of the elements.

    At most twice as many elements as threads are held. Elements are keys with references, all in the global window.
    """

    def __init__(self, work: Work, threads: int) -> None:
        self._work = work
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[list[object]]] = deque()

    def process(self, element: Keyed, side: Iterable[bytes] | None = None) -> Iterator[object]:
        """Starts the work on an element, with a side input if there is one, and yields what earlier ones gave."""
        # What Beam gives lazily is read in its own thread.
        keyed = (element[0], list(element[1]))
        given = (keyed,) if side is None else (keyed, list(side))
        if self._threads == 1:
            yield from self._work(*given)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "oreline-step")
        self._waiting.append(self._pool.submit(_done, self._work, given))
        while len(self._waiting) >= 2 * self._threads:
            yield from self._oldest()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Yields what is still being worked on."""
        while self._waiting:
            for each in self._oldest():
                yield GlobalWindows.windowed_value(each)
        self.teardown()

    def start_bundle(self) -> None:
        """Forgets what a bundle that failed left."""
        self.teardown()

    def teardown(self) -> None:
        """Ends the threads."""
        self._waiting.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _oldest(self) -> list[object]:
        """Returns what the work that was started first gave; if it failed, none of the rest is started."""
        oldest = self._waiting.popleft()
        if oldest.exception() is not None:
            self.teardown()
        return oldest.result()


def _done(work: Work, given: tuple[object, ...]) -> list[object]:
    return list(work(*given))
