"""Work done ahead on another thread."""

import queue
import sys
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_TURN_SECONDS = 0.0005


class Ahead(Generic[T]):
    """Iterates on a thread of its own, at most `depth` items ahead of who takes them.

    What `items` raises is raised where the items are taken. Leaving the context ends the thread after the item that it
    works on.
    """

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._items = items
        self._room = threading.Semaphore(depth)
        self._ready: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="oreline-ahead", daemon=True)

    def __enter__(self) -> Iterator[T]:
        # Who comes back from a kernel waits for Python's usual 5 ms while this thread works on lists.
        self._turns = sys.getswitchinterval()
        if self._turns > _TURN_SECONDS:
            sys.setswitchinterval(_TURN_SECONDS)
        self._thread.start()
        return self._take()

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._room.release()
        self._thread.join()
        # Not by one that found it set: of two at once the first to come may be the first to leave.
        if self._turns > _TURN_SECONDS:
            sys.setswitchinterval(self._turns)

    def _work(self) -> None:
        try:
            while self._room.acquire() and not self._closed:
                item = next(self._items, None)
                self._ready.put(None if item is None else (item,))
                if item is None:
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again where the items are taken
            self._ready.put(error)

    def _take(self) -> Iterator[T]:
        while (found := self._ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            self._room.release()
            yield found[0]
