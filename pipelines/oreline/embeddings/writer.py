"""Writing vectors as they come: often enough that a killed run loses little, and yet in few files."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np

from oreline import files
from oreline.embeddings.store import Float16, VectorStore
from oreline.encoders.protocol import Flush

MERGED_TEXTS = 4_096
"""Files of fewer vectors are merged up to so many."""


class VectorWriter:
    """Writes the vectors of one range as they come, as a context.

    A file is finished whenever `every` says so: what a killed run loses at most. Files of fewer than `MERGED_TEXTS`
    become one at the end, which is also there where the work was broken off by an error.
    """

    def __init__(self, store: VectorStore, bucket: int, buckets: int, every: Flush) -> None:
        self._store, self._bucket, self._buckets, self._every = store, bucket, buckets, every
        self._keys: list[str] = []
        self._vectors: list[Float16] = []
        self._since = time.monotonic()
        self._small: list[str] = []
        self._merging: list[tuple[list[str], Float16]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        self._merge()

    def add(self, keys: Sequence[str], vectors: Float16) -> None:
        """Takes vectors (rows x dimension, finite) with their keys; none, to let those go that wait too long."""
        if not self._keys:
            self._since = time.monotonic()
        self._keys.extend(keys)
        if len(keys):
            self._vectors.append(vectors)
        late = self._every.seconds is not None and time.monotonic() - self._since >= self._every.seconds
        if self._keys and (late or len(self._keys) >= self._every.texts):
            self._finish()

    def _finish(self) -> None:
        if not self._keys:
            return
        keys, vectors = self._keys, np.concatenate(self._vectors)
        path = self._store.write(self._bucket, self._buckets, keys, vectors)
        self._keys, self._vectors = [], []
        if len(keys) < MERGED_TEXTS:
            self._small.append(path)
            self._merging.append((keys, vectors))
            if sum(len(each) for each, _ in self._merging) >= MERGED_TEXTS:
                self._merge()

    def _merge(self) -> None:
        """Writes the small files as one, and only then deletes them: a reader finds each vector at any time."""
        if len(self._small) > 1:
            keys = [key for each, _ in self._merging for key in each]
            vectors = np.concatenate([each for _, each in self._merging])
            self._store.write(self._bucket, self._buckets, keys, vectors)
            for path in self._small:
                files.delete(path)
        self._small, self._merging = [], []
