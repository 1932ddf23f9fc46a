"""`--set a.b=value`: changes to a recipe's document before its types are checked."""

from collections.abc import Sequence

from oreline.errors import RecipeError
from oreline.ids import Json
from oreline.recipe.document import Document, Path, dotted, parse_value
from oreline.recipe.words import is_secret


def apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Changes `document` by texts such as `select.negatives=8`, `sources.0.path=docs` or `mine.miners=[dense]`.

    Values are YAML, as in the recipe. What cannot be applied is added to the document's problems; an unknown key is
    found later, with the other unknown keys, and bears the text of its override as place.
    """
    for override in overrides:
        try:
            path, value = parse_override(override)
            _put(document, path, value, shown(override))
        except RecipeError as error:
            document.problems.append(str(error))


def parse_override(override: str) -> tuple[Path, Json]:
    """Returns the path and the value of `a.b=value`; raises RecipeError if it has another form."""
    name = shown(override)
    key, equals, text = override.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(step.strip() for step in steps):
        raise RecipeError(f"{name}: expected KEY=VALUE, for example --set select.negatives=8")
    path: Path = tuple(int(step) if step.isdecimal() else step.strip() for step in steps)
    return path, parse_value(text, name)


def shown(override: str) -> str:
    """Returns an override as messages show it; what may be an API key is not shown."""
    key, equals, _ = override.partition("=")
    return f"--set {key}{equals}..." if is_secret(key.rpartition(".")[2]) else f"--set {override}"


def _put(document: Document, path: Path, value: Json, name: str) -> None:
    inside: Json = document.value
    for depth, step in enumerate(path[:-1]):
        inside = _step_into(inside, step, path[: depth + 1], name)
        document.places.setdefault(path[: depth + 1], name)
    last = path[-1]
    if isinstance(inside, list):
        inside[_index(inside, last, path, name)] = value
    elif isinstance(inside, dict):
        inside[str(last)] = value
    else:
        raise RecipeError(f"{name}: {dotted(path[:-1])} is {inside!r}, so nothing can be set inside it")
    for known in [known for known in document.places if known[: len(path)] == path]:
        del document.places[known]
    for known in [known for known in document.texts if known[: len(path)] == path]:
        del document.texts[known]
    document.places[path] = name


def _step_into(inside: Json, step: str | int, path: Path, name: str) -> Json:
    """Returns what stands at a step of the path; makes a section where none is written."""
    if isinstance(inside, list):
        return inside[_index(inside, step, path, name)]
    if not isinstance(inside, dict):
        raise RecipeError(f"{name}: {dotted(path[:-1])} is {inside!r}, so nothing can be set inside it")
    if inside.get(str(step)) is None:
        inside[str(step)] = {}
    return inside[str(step)]


def _index(inside: Sequence[Json], step: str | int, path: Path, name: str) -> int:
    entries = "1 entry" if len(inside) == 1 else f"{len(inside)} entries"
    if not isinstance(step, int):
        raise RecipeError(
            f"{name}: {dotted(path[:-1])} is a list of {entries}; name one by its number, counted from 0, not {step!r}"
        )
    if step >= len(inside):
        raise RecipeError(f"{name}: {dotted(path[:-1])} has {entries}, counted from 0; there is no number {step}")
    return step
