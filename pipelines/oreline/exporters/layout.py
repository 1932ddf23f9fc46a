"""Where a format's files lie below `train/`, and the files themselves as parts of a manifest."""

import hashlib
import uuid
from typing import BinaryIO
from urllib.parse import quote

from oreline import files
from oreline.ids import Tally
from oreline.tables.parts import Part

TRAIN = "train"
"""The folder of all formats; its parts belong to the stage `export`."""


def table_of(name: str) -> str:
    """Returns the manifest's name for a format's files: `train/<format>`."""
    return f"{TRAIN}/{name}"


def folder_name(name: str) -> str:
    """Returns a name that is safe as one folder on every file system; letters, digits, `_.-` stay as they are."""
    quoted = quote(name, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E") or "%20"


def new_path(name: str, folder: str, suffix: str) -> str:
    """Returns a new file's path relative to the output; it is made in the bundle, so that a repeat cannot meet it."""
    return f"{table_of(name)}/{folder}/part-{uuid.uuid4().hex}.{suffix}"


class HashedFile:
    """A new file that counts and hashes what is written; pyarrow can write through it."""

    def __init__(self, output: str, path: str) -> None:
        self.path = path
        self.closed = False
        self.size = 0
        self._file: BinaryIO = files.open_write(files.join(output, path))
        self._state = hashlib.sha256()

    def write(self, contents: bytes) -> int:
        """Appends bytes and returns how many."""
        data = bytes(contents)
        self._state.update(data)
        self.size += len(data)
        self._file.write(data)
        return len(data)

    def tell(self) -> int:
        """Returns the number of bytes written."""
        return self.size

    def flush(self) -> None:
        """Nothing to do: the file is complete only once it is closed."""

    def close(self) -> None:
        """Finishes the file; the second time does nothing."""
        if not self.closed:
            self.closed = True
            self._file.close()

    def part(self, name: str, rows: int, digest: int, ids: Tally) -> Part:
        """Returns the closed file's manifest entry."""
        return Part(table_of(name), self.path, rows, self.size, self._state.hexdigest(), digest, ids)
