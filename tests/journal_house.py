"""What the tests of the journal share: answers, their money, and places where a process can be killed at any step."""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

from oreline.ids import sha256_json
from oreline.llm import journal
from oreline.llm.journal.segments import journal_folder, list_lanes
from oreline.llm.requests import Answer

OWNERS = ("a" * 12, "b" * 12)


def answer(number: int, *, lane: int = 0, attempt: int = 0, stage: str = "synthesize") -> Answer:
    """Returns an answer with a cost of its own, so that sums tell when one is missing or counted twice."""
    key = f"{lane:02x}{sha256_json(number)[2:]}"
    time = f"2026-01-01T00:00:{number % 60:02d}.{number:06d}+00:00"
    return Answer(
        key, attempt, "ok", f"text {number}", model="m", stage=stage, prompt_tokens=1 << (number % 20),
        output_tokens=2, dollars=number * 1e-6, time=time,
    )  # fmt: skip


def answers_in(cache: str) -> dict[tuple[str, int], str]:
    """Returns the text of every answer that readers find, by key and attempt."""
    found = {}
    for listed in list_lanes(journal_folder(cache)):
        for key, attempts in journal.read_lane(cache, listed.lane).items():
            found.update({(key, number): each.text for number, each in attempts.items()})
    return found


def money_in(cache: str) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Returns answers, tokens and billionths of dollars by owner and stage, as a listing has them."""
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    for listed in list_lanes(journal_folder(cache)):
        for segment in listed.segments:
            if segment.label is not None:
                label = segment.label
                rows, tokens, money = found.get((label.owner, label.stage), (0, 0, 0))
                found[label.owner, label.stage] = (
                    rows + label.rows, tokens + label.tokens, money + label.nanodollars,
                )  # fmt: skip
    return found


class Killed(BaseException):
    """Stands for the end of the process: nothing in it may catch this and go on."""


@dataclass
class Killer:
    """Counts a process's steps on a file system, and ends it before the step numbered `at`, from 0.

    With `rival` it is not ended: at that moment somebody else does something, and then it goes on.
    """

    at: int | None = None
    steps: int = 0
    rival: Callable[[], object] | None = None

    def step(self) -> None:
        if self.at is not None and self.steps >= self.at:
            if self.rival is None:
                raise Killed
            act, self.at = self.rival, None
            act()
        self.steps += 1


_LOCAL: list[tuple[str, Killer]] = []
_HOOKED: list[bool] = []


def _hook(event: str, details: tuple[object, ...]) -> None:
    if not _LOCAL or event not in ("open", "os.rename", "os.remove", "os.mkdir"):
        return
    folder, killer = _LOCAL[-1]
    if not str(details[0]).startswith(folder):
        return
    if event == "open" and not (isinstance(details[1], str) and set(details[1]) & set("wax+")):
        return
    killer.step()


@contextmanager
def local_killer(folder: str, at: int | None, rival: Callable[[], object] | None = None) -> Iterator[Killer]:
    """Counts what Python asks the system to change below a folder, and refuses everything from step `at` on.

    It listens to the interpreter's audit events: the code under test runs as it is.
    """
    if not _HOOKED:
        sys.addaudithook(_hook)
        _HOOKED.append(True)
    killer = Killer(at, rival=rival)
    _LOCAL.append((folder, killer))
    try:
        yield killer
    except Killed:
        pass
    finally:
        _LOCAL.pop()


OBJECTS: dict[str, bytes] = {}
"""What `ObjectStore` holds."""

STORE_KILLER = Killer()


@contextmanager
def store_killer(at: int | None) -> Iterator[Killer]:
    """Counts what is changed in the object store, and refuses everything from step `at` on."""
    STORE_KILLER.at, STORE_KILLER.steps = at, 0
    try:
        yield STORE_KILLER
    except Killed:
        pass
    finally:
        STORE_KILLER.at = None


class _Upload(io.BytesIO):
    """A file that is there once it is closed, as in an object store."""

    def __init__(self, done: Callable[[bytes], None]) -> None:
        super().__init__()
        self._done = done

    def close(self) -> None:
        if not self.closed:
            self._done(self.getvalue())
        super().close()


class ObjectStore(FileSystem):  # type: ignore[misc]  # Beam has no types
    """A remote file system in memory: no folders, and to rename is to copy and then to delete."""

    @classmethod
    def scheme(cls) -> str:
        return "objects"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        """There are no folders."""

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        found = sorted(name for name in OBJECTS if name.startswith(dir_or_prefix))
        return (FileMetadata(name, len(OBJECTS[name]), 0.0) for name in found)

    def create(self, path: str, mime_type: str = "", compression_type: str = "") -> BinaryIO:  # noqa: ARG002 - Beam's
        STORE_KILLER.step()

        def done(contents: bytes) -> None:
            OBJECTS[path] = contents

        return _Upload(done)

    def open(self, path: str, mime_type: str = "", compression_type: str = "") -> BinaryIO:  # noqa: ARG002 - Beam's
        if path not in OBJECTS:
            raise FileNotFoundError(path)
        return io.BytesIO(OBJECTS[path])

    def copy(self, source_file_names: Sequence[str], destination_file_names: Sequence[str]) -> None:
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            STORE_KILLER.step()
            OBJECTS[target] = OBJECTS[source]

    def rename(self, source_file_names: Sequence[str], destination_file_names: Sequence[str]) -> None:
        self.copy(source_file_names, destination_file_names)
        self.delete(source_file_names)

    def exists(self, path: str) -> bool:
        return path in OBJECTS

    def size(self, path: str) -> int:
        return len(OBJECTS[path])

    def last_updated(self, path: str) -> float:
        raise BeamIOError(f"{path}: no times are kept")

    def checksum(self, path: str) -> str:
        raise BeamIOError(f"{path}: no checksums are kept")

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, len(OBJECTS[path]), 0.0)

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            if path in OBJECTS:
                STORE_KILLER.step()
                del OBJECTS[path]
