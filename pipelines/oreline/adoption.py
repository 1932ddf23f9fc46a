"""Taking over the finished stages of an earlier output, so that mining again repeats only what changed."""

import os
import shutil
from collections.abc import Mapping

from oreline import files
from oreline.commit import Pending
from oreline.errors import CallError, RecipeError
from oreline.exporters.layout import TRAIN
from oreline.reasons import UNANSWERED
from oreline.recipe.loading import LoadedRecipe, stored_recipe
from oreline.stages.catalog import Stage
from oreline.tables.manifest import Manifest, broken_parts, read_manifest, whole_manifest, write_manifest
from oreline.tables.parts import Part


def adoptable(old: str, stage: str, fingerprint: str) -> Manifest | None:
    """Returns the manifest of a stage that the earlier output has whole with this fingerprint, else None.

    A stage some of whose requests got no answer is not whole.
    """
    manifest = whole_manifest(old, stage)
    if manifest is None or manifest.fingerprint != fingerprint or broken_parts(old, manifest):
        return None
    return None if manifest.drops.get(UNANSWERED) else manifest


def adopt(old: str, new: str, stage: Stage, now: Pending, inputs: Mapping[str, str]) -> Manifest | None:
    """Takes a stage over if the earlier output has it whole with the fingerprint of `now`; else returns None.

    Parts become hard links where both outputs lie on one local file system, else copies. Of a table that the stage
    only adds to, the new output's own parts are listed: those of the stage that `inputs` names, which have the same
    rows, as the fingerprint covers them.
    """
    manifest = adoptable(old, stage.name, now.fingerprint)
    if manifest is None:
        return None
    tables: dict[str, tuple[Part, ...]] = {}
    for name, parts in manifest.tables.items():
        own = [part for part in parts if part.path.startswith((f"{stage.name}/", f"{TRAIN}/"))]
        for part in own:
            _take(old, new, part)
        earlier = read_manifest(new, inputs[name]) if name in stage.adds else None
        tables[name] = (*(earlier.tables[name] if earlier else ()), *own)
    adopted = manifest.with_tables(tables)
    write_manifest(new, adopted)
    return adopted


def with_old_cache(loaded: LoadedRecipe, adopt_from: str | None) -> LoadedRecipe:
    """Takes the earlier output's cache unless the recipe names one: re-mining pays and encodes nothing twice.

    A run that goes on without `--from` keeps to the cache that it took at first, which its output's recipe names.
    Raises CallError if `adopt_from` is no output.
    """
    if adopt_from is None:
        return _with_own_cache(loaded)
    stored = files.join(adopt_from, "recipe.yaml")
    if not files.exists(stored):
        raise CallError(f"--from {adopt_from}: there is no recipe.yaml in it; name the output folder of an earlier run")
    if loaded.recipe.cache is not None:
        return loaded
    old = stored_recipe(stored)
    cache = files.join(adopt_from, "_cache") if old.cache is None else old.cache
    return loaded.replaced(loaded.recipe.model_copy(update={"cache": cache}))


def _with_own_cache(loaded: LoadedRecipe) -> LoadedRecipe:
    stored = files.join(loaded.recipe.output, "recipe.yaml")
    if loaded.recipe.cache is not None or not files.exists(stored):
        return loaded
    try:
        cache = stored_recipe(stored).cache
    except RecipeError:
        return loaded  # the preflight names what is wrong with it
    return loaded if cache is None else loaded.replaced(loaded.recipe.model_copy(update={"cache": cache}))


def _take(old: str, new: str, part: Part) -> None:
    source, target = files.join(old, part.path), files.join(new, part.path)
    if files.exists(target) and files.size(target) == part.size:
        return
    files.delete(target)
    if files.is_local(source) and files.is_local(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            # Another file system, or one without hard links. The name comes last: a copy may be cut short.
            shutil.copyfile(source, f"{target}.tmp")
            os.replace(f"{target}.tmp", target)
        return
    with files.open_read(source) as read, files.open_write(target) as write:
        shutil.copyfileobj(read, write)
