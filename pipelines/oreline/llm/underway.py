"""Which lanes have requests on their way: whoever opens a lane waits for what a broken bundle left there."""

import threading
from collections import Counter


class Underway:
    """Counts the requests on their way by lane. Any thread may call it."""

    def __init__(self) -> None:
        self._quiet = threading.Condition()
        self._lanes: Counter[int] = Counter()
        self._asked: set[int] = set()

    def begin(self, lane: int) -> None:
        """Counts a request that was submitted."""
        with self._quiet:
            self._lanes[lane] += 1
            self._asked.add(lane)

    def end(self, lane: int) -> None:
        """Counts a request that has come to its end."""
        with self._quiet:
            self._lanes[lane] -= 1
            if not self._lanes[lane]:
                self._quiet.notify_all()

    def asked(self, lane: int) -> bool:
        """Says whether a request of a lane was ever submitted."""
        return lane in self._asked

    def wait(self, lane: int, seconds: float) -> bool:
        """Waits until a lane has no request on its way, so many seconds at most; says whether it has none."""
        with self._quiet:
            return self._quiet.wait_for(lambda: not self._lanes[lane], seconds)
