"""What a store of vectors holds, and whose they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files
from oreline.embeddings.store import ABOUT
from oreline.ids import Json

STORES = "stores"
"""The fact of embed's manifest that says how large the stores are once it is done, by encoder."""


@dataclass(frozen=True)
class StoreStatistics:
    """What a store holds: vectors (rows of all files, of which some may repeat a key), bytes, files; and whose it is.

    `about` is empty where the store does not say; `damaged` counts files that are no files of vectors.
    """

    encoder: str
    about: Mapping[str, Json]
    rows: int
    bytes: int
    files: int
    damaged: int

    def sizes(self) -> dict[str, Json]:
        """Returns how large the store is."""
        return {"rows": self.rows, "bytes": self.bytes, "files": self.files}


def statistics(folder: str) -> StoreStatistics:
    """Returns what the store of one encoder (`<cache>/vectors/<identity>`) holds; reads the footers of its files."""
    rows = size = number = damaged = 0
    for each in files.walk(folder):
        if not each.path.endswith(".parquet"):
            continue
        number, size = number + 1, size + each.size
        try:
            with files.open_read(each.path) as file, pq.ParquetFile(file) as parquet:
                rows += parquet.metadata.num_rows
        except (pa.ArrowInvalid, OSError):
            damaged += 1
    return StoreStatistics(folder.rstrip("/").rsplit("/", 1)[-1], _about(folder), rows, size, number, damaged)


def _about(folder: str) -> Mapping[str, Json]:
    try:
        about: Json = json.loads(files.read_bytes(files.join(folder, ABOUT)))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, Mapping) else {}
