"""Where a format's files lie below `train/`, and the files themselves as parts of a manifest."""

import uuid
from urllib.parse import quote

from oreline import files
from oreline.ids import Tally
from oreline.tables.parts import HashedFile, Part

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


class TrainFile(HashedFile):
    """A new file below `train/`; `path` is relative to the output."""

    def __init__(self, output: str, path: str) -> None:
        super().__init__(files.join(output, path))
        self.path = path

    def part(self, name: str, rows: int, digest: int, ids: Tally) -> Part:
        """Returns the closed file's manifest entry; `ids` tallies its triples, each once."""
        return Part(table_of(name), self.path, rows, self.size, self.sha256, digest, ids)
