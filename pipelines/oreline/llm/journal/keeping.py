"""The journal as a run keeps it: answers go in, lanes are read, and small segments are merged on the way."""

import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterable

from oreline import files
from oreline.llm.journal.compaction import FEWEST, compact
from oreline.llm.journal.reading import LaneContents, open_lane
from oreline.llm.journal.segments import MARK, TEMPORARY, journal_folder, lane_folder
from oreline.llm.journal.writing import write_segments, write_whole
from oreline.llm.requests import Answer

_ROOM = 2**18
"""Bytes that a disk must take before anything is paid for: some hundred answers."""


class Journal:
    """The journal of a cache, kept for the output that pays. Any thread may call it.

    A lane belongs to one process at a time; where Beam lets two work at one, no answer is lost.
    """

    def __init__(self, cache: str, owner: str) -> None:
        self._cache, self._owner = cache, owner
        self._mark = files.join(journal_folder(cache), MARK)
        self._lock = threading.Lock()
        self._written: Counter[int] = Counter()

    def begin(self) -> None:
        """Makes the journal if there is none yet; raises OSError if that fails, or the disk has no room for answers."""
        if not files.exists(self._mark):
            files.write_atomically(self._mark, b'{"format": 1}\n')
        if files.is_local(self._mark):
            probe = f"{self._mark}.{uuid.uuid4().hex}{TEMPORARY}"
            write_whole(probe, bytes(_ROOM))
            files.delete(probe)

    def append(self, answers: Iterable[Answer]) -> None:
        """Writes answers into new segments, and merges those of a lane once they are many.

        Raises OSError if that fails, FileNotFoundError if the journal has vanished since it was begun: to make it
        anew would be to hide that answers are gone.
        """
        self._check()
        try:
            for path in write_segments(self._cache, answers, self._owner):
                self._count(int(path.split("/")[-2], 16))
        except FileNotFoundError:
            self._check()  # says it more clearly, if that is why
            raise

    def open_lane(self, lane: int, keys: Collection[str]) -> LaneContents:
        """Returns a lane's answers to some requests; merges its small segments first. Raises OSError as `append`."""
        self._check()
        with self._lock:
            compact(lane_folder(self._cache, lane))
        return open_lane(self._cache, lane, keys)

    def _count(self, lane: int) -> None:
        self._written[lane] += 1
        if self._written[lane] % FEWEST == 0:
            with self._lock:
                compact(lane_folder(self._cache, lane))

    def _check(self) -> None:
        if not files.exists(self._mark):
            raise FileNotFoundError(f"{self._mark} is gone: the cache was deleted or moved while the run used it")
