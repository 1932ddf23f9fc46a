"""`oreline init`: writes a recipe, or copies the prompts, and says what to type next."""

import os
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable

from oreline import resources
from oreline.errors import CallError
from oreline.recipe.sketch import DEMO, next_commands, sketch, yaml_text


def start(
    path: str | None,
    *,
    demo: bool,
    prompts: str | None,
    target: str,
    force: bool,
    environment: Mapping[str, str],
) -> list[str]:
    """Writes what `oreline init` was asked for and returns the lines to print.

    With `prompts` alone no recipe is written; without any argument the working directory is looked at. Raises
    CallError, before anything is written, if a file is there already and `force` is off.
    """
    files: dict[str, str] = {}
    if prompts is not None:
        files |= _prompt_files(prompts)
    if demo or path is not None or prompts is None:
        if path is not None and "://" in path:
            raise CallError(f"{path}: init looks at local files only; name it under `sources` in a recipe of your own")
        files[target] = DEMO if demo else sketch(path or ".", environment)
    there = [name for name in files if os.path.exists(name)]
    if there and not force:
        raise CallError(f"{there[0]} is there already; add --force to overwrite it, or --recipe for another name")
    for name, text in files.items():
        _write(name, text)
    lines = [f"wrote {name}" for name in files]
    if prompts is not None:
        folder = yaml_text(prompts)
        lines.append(f"edit those you want otherwise, delete the others, and put into your recipe: prompts: {folder}")
    if target in files:
        lines += ["next:", *(f"  {command}" for command in next_commands(target))]
    return lines


def _prompt_files(folder: str) -> dict[str, str]:
    return {
        os.path.join(folder, name): entry.read_text(encoding="utf-8")
        for name, entry in _all(resources.folder("prompts"))
    }


def _all(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yields the files below a folder of resources with their relative names, sorted."""
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _all(entry, f"{name}/")
        elif entry.name.endswith((".md", ".yaml")):
            yield name, entry


def _write(name: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise CallError(f"{name}: cannot be written: {error.strerror or error}") from error
