"""A file of a source, as the listing has it."""

from dataclasses import dataclass

from oreline.files import FileInfo


@dataclass(frozen=True)
class SourceFile:
    """A file of a source; `relative` is its path within the source, with slashes: its place in all ids."""

    info: FileInfo
    relative: str
