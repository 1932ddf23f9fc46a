"""Remote files: a folder is nothing but the beginning of names, and deleting it deletes what begins so."""

from collections.abc import Iterator, Sequence

import pytest
from apache_beam.io.filesystem import FileMetadata, FileSystem

from oreline import files

STORED: dict[str, int] = {}


class MemoryFileSystem(FileSystem):  # type: ignore[misc]  # Beam has no types
    """Lists and deletes names as Google Cloud Storage does, in memory."""

    @classmethod
    def scheme(cls) -> str:
        return "memory"

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        return (FileMetadata(name, size, 0.0) for name, size in STORED.items() if name.startswith(dir_or_prefix))

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, STORED[path], 0.0)

    def exists(self, path: str) -> bool:
        return path in STORED

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            for found in self.match([path])[0].metadata_list:
                STORED.pop(found.path, None)


# What is not called here is left out.
MemoryFileSystem.__abstractmethods__ = frozenset()


@pytest.mark.parametrize(
    ("deleted", "left"),
    [("memory://b/out/mine", 2), ("memory://b/out/mine/manifest.json", 4), ("memory://b/out/gone", 5)],
)
def test_deleting_a_folder_deletes_what_is_in_it_and_no_neighbour(deleted: str, left: int) -> None:
    STORED.clear()
    STORED.update(
        dict.fromkeys(("mine/manifest.json", "mine/candidates/part-1", "mine/_scratch/a/b", "mined", "judge/x"), 1)
    )
    for name in list(STORED):
        STORED[f"memory://b/out/{name}"] = STORED.pop(name)
    files.delete(deleted)
    assert len(STORED) == left
    assert not any(f"{name}/".startswith(f"{deleted}/") for name in STORED)
