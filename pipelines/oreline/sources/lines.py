"""Lines of plain or compressed files, streamed; a line too long for memory is skipped, not read."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pyarrow as pa

from oreline import files
from oreline.errors import SourceError
from oreline.sources.formats import plain_name

LONGEST_LINE = 256 * 2**20
"""Bytes of a line above which it is not parsed."""


@contextmanager
def open_plain(path: str) -> Iterator[io.BufferedReader]:
    """Opens a file for reading bytes, decompressed by its ending."""
    _, codec = plain_name(path)
    with files.open_read(path) as stored:
        if codec is None:
            yield cast("io.BufferedReader", stored)
            return
        with pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), codec) as stream:
            yield io.BufferedReader(stream)


def lines(path: str) -> Iterator[tuple[int, bytes | None]]:
    """Yields line number, from 1, and bytes without the line's end; None for one longer than `LONGEST_LINE`.

    Raises SourceError if the file is damaged: how many rows are lost cannot be known then.
    """
    number = 0
    try:
        with open_plain(path) as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if len(line) < LONGEST_LINE or line.endswith(b"\n"):
                    yield number, line.rstrip(b"\r\n")
                    continue
                while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield number, None
    except (OSError, EOFError) as error:
        raise SourceError(f"{path}: the file is damaged after line {number:,} ({error}); replace it") from error
