"""One writer: a lock per output and per cache, that says who holds it."""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from oreline import files
from oreline.errors import LockedError, StageFailed

BEAT_SECONDS = 15.0
STALE_SECONDS = 120.0
"""A remote lock whose heartbeat is older than this belongs to a dead process."""


@contextmanager
def hold(folder: str) -> Iterator[None]:
    """Holds the lock of a folder (made if need be) while the block runs.

    On this machine's file systems the kernel holds the lock, so a killed process leaves none behind. On remote ones a
    file with a heartbeat stands for it. Raises LockedError with host and process id of the holder, or with the reason
    why the folder cannot be locked.
    """
    if files.is_local(folder):
        with _hold_local(folder):
            yield
    else:
        with _hold_remote(folder):
            yield


def check_held(folder: str) -> None:
    """Raises StageFailed if a folder that this process holds the lock of has vanished, with all that was in it."""
    if not files.exists(files.join(folder, "_lock")):
        raise StageFailed(
            f"{folder} is gone: it was deleted or moved while the run used it; put it back and run the same command to "
            "go on, or run it without, and what was in it is made and paid for anew"
        )


@contextmanager
def _hold_local(folder: str) -> Iterator[None]:
    try:
        os.makedirs(folder, exist_ok=True)
        opened = open(os.path.join(folder, "_lock"), "a+", encoding="utf-8")  # noqa: SIM115 - closed by the `with` below
    except OSError as error:
        reason = error.strerror or str(error)
        raise LockedError(f"{folder}: cannot be locked ({reason}); make it writable, or name another folder") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise LockedError(_message(folder, file.read())) from error
        _write_holder(file)
        try:
            yield
        finally:
            file.truncate(0)
            fcntl.flock(file, fcntl.LOCK_UN)


def _write_holder(file: IO[str]) -> None:
    file.seek(0)
    file.truncate(0)
    file.write(_holder(0.0))
    file.flush()


@contextmanager
def _hold_remote(folder: str) -> Iterator[None]:
    path = files.join(folder, "_lock")
    if files.exists(path):
        held = files.read_bytes(path).decode(errors="replace")
        if time.time() - _beat_of(held) < STALE_SECONDS:
            raise LockedError(_message(folder, held))
    files.write_atomically(path, _holder(time.time()).encode())
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, done), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()
        files.delete(path)


def _beat(path: str, done: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        files.write_atomically(path, _holder(time.time()).encode())


def _holder(beat: float) -> str:
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "heartbeat": beat})


def _beat_of(held: str) -> float:
    try:
        return float(json.loads(held)["heartbeat"])
    except (ValueError, KeyError, TypeError):
        return 0.0


def _message(folder: str, held: str) -> str:
    try:
        holder = json.loads(held)
        who = f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    return f"{folder}: {who} is running in it; wait for it, stop it, or choose another output or cache"
