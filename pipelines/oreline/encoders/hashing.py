"""The sha256 of large files, computed once: kept in memory, and on disk for other processes and later runs.

An entry is a file of its own in the user's cache folder, named by path, size and times of what it is about. One that is
torn, or was changed, does not fit its own check and is made anew; so is one for a file that changed since.
"""

import hashlib
import logging
import os
import time
from functools import cache

from oreline import files

_LOG = logging.getLogger(__name__)
LEAST_BYTES = 1 << 20
"""Smaller files are hashed as fast as an entry is found."""

_SETTLED_SECONDS = 2.0
"""A file that changed so lately may change once more within the same tick of its clock: nothing is kept of it."""


def file_sha256(path: str) -> str:
    """Returns the sha256 of a local file, 64 hexadecimal digits; raises OSError if it cannot be read.

    It is read only if no process of this user has hashed it before, at this path, with this size and these times.
    """
    status = os.stat(path)
    return _file_sha256(os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _file_sha256(path: str, size: int, modified: int, changed: int) -> str:
    name = hashlib.sha256(f"{path}\0{size}\0{modified}\0{changed}".encode()).hexdigest()
    entry = os.path.join(cache_folder(), name)
    kept = _kept(entry, name) if size >= LEAST_BYTES else None
    if kept is not None:
        return kept
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size >= LEAST_BYTES and time.time() - max(modified, changed) / 1e9 > _SETTLED_SECONDS:
        try:
            files.write_atomically(entry, f"{digest} {_check(name, digest)}\n".encode())
        except OSError as error:
            _LOG.debug("%s: the hash of %s is not kept (%s)", entry, path, error)
    return digest


def cache_folder() -> str:
    """Returns where hashes are kept: `oreline/hashes` in the user's cache folder (XDG_CACHE_HOME, else ~/.cache)."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(root, "oreline", "hashes")


def _kept(entry: str, name: str) -> str | None:
    try:
        with open(entry, encoding="ascii") as file:
            digest, _, check = file.read(256).strip().partition(" ")
    except (OSError, UnicodeDecodeError):
        return None
    return digest if len(digest) == 64 and check == _check(name, digest) else None


def _check(name: str, digest: str) -> str:
    return hashlib.sha256(f"{name} {digest}".encode()).hexdigest()[:16]
