"""Files of candidates as blocks of numbered lines, so that a file of any size is read in little memory."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from oreline import files
from oreline.errors import CallError

BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Lines:
    """Some lines of a file, without their ends; `first` is the number of the first one, from 1."""

    first: int
    lines: list[bytes]


def blocks_of(path: str, size: int = BLOCK_BYTES) -> Iterator[Lines]:
    """Yields a file, plain or gzipped (by its first bytes), in blocks of about `size` bytes.

    Raises CallError if it is not there, cannot be read, or its compression is damaged.
    """
    try:
        with files.open_read(path) as file:
            yield from _cut(_unpacked(file), size)
    except (OSError, EOFError, zlib.error) as error:
        told = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise CallError(f"mine.runs: {path}: {told}") from error


def _cut(file: BinaryIO, size: int) -> Iterator[Lines]:
    number, rest = 1, b""
    while block := file.read(size):
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield Lines(number, lines)
            number += len(lines)
    if rest:
        yield Lines(number, [rest])


def _unpacked(file: BinaryIO) -> BinaryIO:
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if zipped else file
