"""Files, local or remote, through Beam's FileSystems.

Local paths are listed and deleted by name rather than by pattern: FileSystems would read `[1]` in a path as a glob.
"""

import glob as local_glob
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems


@dataclass(frozen=True)
class FileInfo:
    """A file with what tells whether it changed."""

    path: str
    size: int
    modified: float


def is_local(path: str) -> bool:
    """Says whether a path lies on this machine (`gs://...` and the like do not)."""
    return "://" not in path


def join(root: str, *parts: str) -> str:
    """Returns `root/part/part` with single slashes."""
    return "/".join([root.rstrip("/") or "/", *(part.strip("/") for part in parts)]).replace("//", "/", root == "/")


def open_read(path: str) -> BinaryIO:
    """Opens a file for reading bytes, as stored (no decompression); raises FileNotFoundError."""
    if is_local(path):
        return open(path, "rb")  # the caller closes it
    return cast("BinaryIO", FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))


def open_write(path: str) -> BinaryIO:
    """Opens a new file for writing bytes; makes its folder if it is local."""
    if is_local(path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    return cast("BinaryIO", FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED))


def read_bytes(path: str) -> bytes:
    """Returns a file's contents; raises FileNotFoundError."""
    with open_read(path) as file:
        return file.read()


def write_atomically(path: str, contents: bytes) -> None:
    """Replaces a file whole: a reader sees the old contents or the new ones, never a part."""
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with open_write(temporary) as file:
            file.write(contents)
    except OSError:
        with suppress(OSError):  # a disk that is full is not to be filled with halves
            delete(temporary)
        raise
    if is_local(path):
        os.replace(temporary, path)
    else:
        FileSystems.rename([temporary], [path])


def exists(path: str) -> bool:
    """Says whether there is a file or folder of that name."""
    return os.path.exists(path) if is_local(path) else bool(FileSystems.exists(path))


def size(path: str) -> int:
    """Returns a file's size in bytes; raises FileNotFoundError."""
    return info(path).size


def info(path: str) -> FileInfo:
    """Returns a file's size and modification time (seconds since the epoch; 0 where the system keeps none)."""
    if is_local(path):
        status = os.stat(path)
        return FileInfo(path, status.st_size, status.st_mtime)
    found = FileSystems.match([path])[0].metadata_list
    if not found:
        raise FileNotFoundError(path)
    return FileInfo(path, found[0].size_in_bytes, found[0].last_updated_in_seconds or 0.0)


def walk(folder: str) -> Iterator[FileInfo]:
    """Yields every file below a folder, sorted by path; nothing if there is no such folder."""
    if is_local(folder):
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                # A file may vanish while the folder is read: another process may replace or delete it.
                with suppress(FileNotFoundError):
                    yield info(os.path.join(parent, name))
        return
    for found in sorted(FileSystems.match([join(folder, "**")])[0].metadata_list, key=lambda each: each.path):
        yield FileInfo(found.path, found.size_in_bytes, found.last_updated_in_seconds or 0.0)


def glob(pattern: str) -> list[FileInfo]:
    """Returns the files that match a pattern (`*`, `?`, `[abc]`, `**` for any depth), sorted by path."""
    if is_local(pattern):
        found = sorted(path for path in local_glob.iglob(pattern, recursive=True) if os.path.isfile(path))
        return [info(path) for path in found]
    matched = FileSystems.match([pattern])[0].metadata_list
    listed = (FileInfo(each.path, each.size_in_bytes, each.last_updated_in_seconds or 0.0) for each in matched)
    return sorted(listed, key=lambda each: each.path)


def delete(path: str) -> None:
    """Deletes a file or a whole folder, if it is there."""
    if not is_local(path):
        # A name that is no file matches nothing, and a folder is only what its files' names begin with.
        FileSystems.delete([path, *(each.path for each in walk(path))])
    elif os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)
