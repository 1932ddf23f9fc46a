"""Which lanes have requests on their way: whoever opens a lane waits for what a broken bundle left there."""

import threading
from collections import Counter
from collections.abc import Mapping


class Underway:
    """Counts the requests on their way by lane, and knows which lanes' answers are in the journal. For any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._begun: Counter[int] = Counter()
        self._ended: Counter[int] = Counter()
        self._journaled: Counter[int] = Counter()

    def begin(self, lane: int) -> None:
        """Counts a request that was submitted."""
        with self._changed:
            self._begun[lane] += 1

    def end(self, lane: int) -> None:
        """Counts a request that has come to its end."""
        with self._changed:
            self._ended[lane] += 1
            if self._is_quiet(lane):
                self._changed.notify_all()

    def wait(self, lane: int, seconds: float) -> bool:
        """Waits until a lane has no request on its way, so many seconds at most; says whether it has none."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_quiet(lane), seconds)

    def quiet(self) -> Mapping[int, int]:
        """Returns the lanes without a request on its way, with how many each has had: for `keep`, after a flush."""
        with self._changed:
            return {lane: begun for lane, begun in self._begun.items() if self._is_quiet(lane)}

    def keep(self, quiet: Mapping[int, int]) -> None:
        """Takes note that the journal holds all answers to these numbers of requests."""
        with self._changed:
            for lane, begun in quiet.items():
                self._journaled[lane] = max(self._journaled[lane], begun)

    def journaled(self, lane: int) -> bool:
        """Says whether the journal holds the answers to all requests of a lane that were ever submitted."""
        with self._changed:
            return self._begun[lane] == self._journaled[lane]

    def _is_quiet(self, lane: int) -> bool:
        return self._begun[lane] == self._ended[lane]
