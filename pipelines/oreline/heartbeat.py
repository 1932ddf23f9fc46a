"""Heartbeats: how workers say what they have done, on every runner alike; the driver draws progress from them."""

import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable

from oreline import files
from oreline.job import Job

EVERY_SECONDS = 1.0

_LOG = logging.getLogger(__name__)


class Heartbeat:
    """Counts a worker's units and writes the counts to `_progress/<stage>/` at most once a second.

    `clock` gives seconds. Counts are for people: a repeated bundle counts twice, and the books are kept elsewhere.
    """

    def __init__(self, job: Job, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = files.join(job.output, "_progress", job.stage, f"{uuid.uuid4().hex}.json")
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._written = float("-inf")

    def add(self, number: int, name: str = "units") -> None:
        """Adds to a count; `units` is what the progress line shows against the stage's total."""
        self._counts[name] += number
        if self._clock() - self._written >= EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes the counts now; a disk that does not take them is named in the log."""
        self._written = self._clock()
        try:
            files.write_atomically(self._path, json.dumps(self._counts).encode())
        except OSError as error:  # no reason to lose a stage's work: who writes its rows will say what is wrong
            _LOG.warning("no progress is shown: %s cannot be written (%s)", self._path, error)


def read_heartbeats(output: str, stage: str) -> Counter[str]:
    """Returns the sum of all workers' counts in a stage; a file that is being replaced is left out."""
    total: Counter[str] = Counter()
    for found in files.walk(files.join(output, "_progress", stage)):
        if found.path.endswith(".json"):
            try:
                total.update(json.loads(files.read_bytes(found.path)))
            except (FileNotFoundError, json.JSONDecodeError):
                continue
    return total
