"""Reads a recipe: YAML 1.2, `--set`, types and defaults; says everything that is wrong with it, by line and column."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import ValidationError

from oreline.errors import RecipeError
from oreline.ids import Json
from oreline.recipe.document import Document, Path, parse_document
from oreline.recipe.dumping import dump_recipe
from oreline.recipe.explain import explain
from oreline.recipe.overrides import apply_overrides
from oreline.recipe.settings import Recipe

__all__ = ["LoadedRecipe", "dump_recipe", "load_recipe", "recipe_from"]


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe with what its user wrote: `written` holds the dotted keys, sections included, that are no defaults."""

    recipe: Recipe
    written: frozenset[str]
    document: Document

    def place(self, key: str) -> str:
        """Returns where a dotted key stands (`recipe.yaml:7:3`), or the nearest section around it."""
        return self.document.place(_path(key))

    def problem(self, key: str, message: str) -> str:
        """Returns one line of an error about a dotted key."""
        return self.document.problem(_path(key), message)

    def replaced(self, recipe: Recipe) -> "LoadedRecipe":
        """Returns the same with another recipe, e.g. one with a cache filled in."""
        return LoadedRecipe(recipe, self.written, self.document)


def load_recipe(path: str, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Reads a recipe file and applies overrides (`select.negatives=8`) to it.

    Relative paths in it are relative to the working directory, as on a command line. Raises RecipeError with one line
    per problem.
    """
    return _finish(parse_document(_read(path), _shown(path)), overrides)


def stored_recipe(path: str) -> Recipe:
    """Returns the recipe in a file that a run wrote; reading it again costs nothing. Raises RecipeError as above."""
    return _stored(_read(path), _shown(path))


@lru_cache(maxsize=4)
def _stored(text: str, shown: str) -> Recipe:
    return _finish(parse_document(text, shown), ()).recipe


def recipe_from(mapping: Mapping[str, object], overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Reads a recipe from a mapping of the same form; raises RecipeError with one line per problem."""
    value = _plain(dict(mapping))
    return _finish(Document("recipe", value if isinstance(value, dict) else {}), overrides)


def _finish(document: Document, overrides: Sequence[str]) -> LoadedRecipe:
    _lengthen_sources(document)
    apply_overrides(document, overrides)
    _lengthen_sources(document)
    document.problems += _unprintable(document, document.value, ())
    try:
        recipe = Recipe.model_validate(document.value)
    except ValidationError as error:
        raise RecipeError("\n".join([*document.problems, *explain(error, document)])) from error
    if document.problems:
        raise RecipeError("\n".join(document.problems))
    return LoadedRecipe(recipe, frozenset(_keys(document.value, "")), document)


def _lengthen_sources(document: Document) -> None:
    """Writes `{path: docs/}` for each bare path in `sources` and in `decontaminate.against`."""
    section = document.value.get("decontaminate")
    against = section.get("against") if isinstance(section, dict) else None
    for paths in (document.value.get("sources"), against):
        if not isinstance(paths, list):
            continue
        for index, path in enumerate(paths):
            if isinstance(path, str):
                paths[index] = {"path": path}


def _unprintable(document: Document, value: Json, path: Path) -> list[str]:
    """Returns a line for each text with signs that no file, path or prompt can hold."""
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in _unprintable(document, inner, (*path, key))]
    if isinstance(value, list):
        return [line for place, inner in enumerate(value) for line in _unprintable(document, inner, (*path, place))]
    if isinstance(value, str) and any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in value):
        return [document.problem(path, "the text holds a null character or half a surrogate pair; take it out")]
    return []


def _read(path: str) -> str:
    try:
        contents = _read_bytes(path)
    except FileNotFoundError:
        raise RecipeError(f"{path}: there is no such file; `oreline init` writes a recipe") from None
    except IsADirectoryError:
        inside = os.path.join(path, "recipe.yaml")
        hint = f"; did you mean {inside}?" if os.path.exists(inside) else ""
        raise RecipeError(f"{path}: a recipe is a file, this is a folder{hint}") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        return contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = contents.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{path}:{line}: not UTF-8 (byte {error.start}); save the recipe as UTF-8") from error


def _read_bytes(path: str) -> bytes:
    if "://" in path:
        from oreline.files import read_bytes  # imports Beam, which local recipes can do without

        return read_bytes(path)
    with open(path, "rb") as file:
        return file.read()


def _shown(path: str) -> str:
    return path.removeprefix("./")


def _path(key: str) -> Path:
    return tuple(int(step) if step.isdecimal() else step for step in key.split("."))


def _keys(value: Json, prefix: str) -> list[str]:
    """Returns the dotted keys of everything inside a value, sections and list places included."""
    if isinstance(value, dict):
        entries = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        entries = [(str(index), inner) for index, inner in enumerate(value)]
    else:
        return []
    keys: list[str] = []
    for name, inner in entries:
        keys += [f"{prefix}{name}", *_keys(inner, f"{prefix}{name}.")]
    return keys


def _plain(value: object) -> Json:
    """Turns what a Python caller may pass into what YAML gives; raises RecipeError for anything else."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(inner) for inner in value]
    raise RecipeError(f"recipe: a {type(value).__name__} has no place in a recipe: {value!r}")
