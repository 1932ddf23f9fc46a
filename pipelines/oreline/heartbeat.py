"""Heartbeats: how workers say what they have done, on every runner alike; the driver draws progress from them."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable

from oreline import files
from oreline.job import Job

EVERY_SECONDS = 1.0


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
        """Writes the counts now."""
        self._written = self._clock()
        files.write_atomically(self._path, json.dumps(self._counts).encode())


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
