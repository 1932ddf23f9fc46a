"""Taking over the finished stages of an earlier output, so that mining again repeats only what changed."""

import os
import shutil

from oreline import files
from oreline.errors import BrokenTable, CallError
from oreline.recipe.loading import LoadedRecipe, load_recipe
from oreline.tables.manifest import Manifest, broken_parts, read_manifest, write_manifest
from oreline.tables.parts import Part


def adopt(old: str, new: str, stage: str, fingerprint: str) -> Manifest | None:
    """Takes a stage over if the earlier output has it whole with an equal fingerprint; else returns None.

    Parts become hard links where both outputs lie on one local file system, else copies. Parts that a manifest lists
    by reference to an earlier stage are there already, adopted with that stage, or are taken over as well.
    """
    try:
        manifest = read_manifest(old, stage)
    except BrokenTable:
        return None
    if manifest is None or manifest.fingerprint != fingerprint or broken_parts(old, manifest):
        return None
    for parts in manifest.tables.values():
        for part in parts:
            _take(old, new, part)
    write_manifest(new, manifest)
    return manifest


def with_old_cache(loaded: LoadedRecipe, adopt_from: str | None) -> LoadedRecipe:
    """Takes the earlier output's cache unless the recipe names one: re-mining pays and encodes nothing twice."""
    if adopt_from is None or loaded.recipe.cache is not None:
        return loaded
    stored = files.join(adopt_from, "recipe.yaml")
    if not files.exists(stored):
        raise CallError(f"--from {adopt_from}: there is no recipe.yaml in it; name the output folder of an earlier run")
    old = load_recipe(stored).recipe
    cache = files.join(adopt_from, "_cache") if old.cache is None else old.cache
    return loaded.replaced(loaded.recipe.model_copy(update={"cache": cache}))


def _take(old: str, new: str, part: Part) -> None:
    source, target = files.join(old, part.path), files.join(new, part.path)
    if files.exists(target):
        return
    if files.is_local(source) and files.is_local(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            # Another file system, or one without hard links.
            shutil.copyfile(source, target)
        return
    with files.open_read(source) as read, files.open_write(target) as write:
        shutil.copyfileobj(read, write)
