"""Files below `train/` that no manifest lists: left by a repeated bundle, a crash, or an earlier recipe."""

import os
from collections.abc import Iterable

from oreline import files
from oreline.exporters.layout import TRAIN
from oreline.tables.manifest import Manifest


def unlisted(output: str, manifest: Manifest | None) -> list[str]:
    """Returns the paths (with `output`) of all files below `<output>/train` that export's manifest does not list.

    Without a manifest that is every file there.
    """
    listed = _paths(manifest)
    root = files.join(output, TRAIN)
    return [found.path for found in files.walk(root) if f"{TRAIN}/{_below(found.path, root)}" not in listed]


def sweep_train(output: str, manifest: Manifest | None) -> None:
    """Deletes what `unlisted` finds, and local folders that are empty then; called under the output's lock."""
    for path in unlisted(output, manifest):
        files.delete(path)
    root = files.join(output, TRAIN)
    if files.is_local(root):
        for folder, _, _ in os.walk(root, topdown=False):
            if not os.listdir(folder):
                os.rmdir(folder)


def _paths(manifest: Manifest | None) -> set[str]:
    parts: Iterable[str] = (part.path for table in manifest.tables.values() for part in table) if manifest else ()
    return set(parts)


def _below(path: str, root: str) -> str:
    return path[len(root) :].lstrip("/")
