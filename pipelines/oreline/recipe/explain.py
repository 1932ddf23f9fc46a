"""Says what is wrong with a recipe in lines that a user understands: pydantic's errors, by place and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from oreline.ids import Json
from oreline.recipe import words
from oreline.recipe.document import Document, Path, looks_like_number
from oreline.recipe.settings import Recipe

_SWITCHES = frozenset({"on", "off", "yes", "no", "y", "n"})


@dataclass(frozen=True)
class _Spot:
    """A place in the recipe: path, the type that is expected there, and what constrains it."""

    path: Path
    annotation: object
    metadata: tuple[object, ...] = ()
    doc: str = ""


def explain(error: ValidationError, document: Document) -> list[str]:
    """Returns one line per wrong key, in the order of the text; a union's several complaints become one."""
    lines: dict[Path, str] = {}
    for each in error.errors(include_url=False):
        spot = _locate(each["loc"], document.value)
        if spot is None or spot.path in lines:
            continue
        lines[spot.path] = document.problem(spot.path, _message(each["type"], spot, document))
    order = {path: place for place, path in enumerate(document.places)}
    return [lines[path] for path in sorted(lines, key=lambda path: _rank(path, order))]


def _rank(path: Path, order: Mapping[Path, int]) -> int:
    """Returns the place in the text of a key or, if it is missing, of the section that misses it."""
    return next((order[path[:length]] for length in range(len(path), 0, -1) if path[:length] in order), -1)


def _locate(location: Sequence[str | int], value: Json) -> _Spot | None:
    """Walks an error's location through types and values; None if it complains of a union's member not meant."""
    spot = _Spot((), Recipe)
    inside: object = value
    steps = list(location)
    while steps:
        choices = words.members(spot.annotation)
        if len(choices) > 1:
            meant = _meant(choices, inside)
            if meant is None:
                return spot
            tag = str(steps.pop(0))
            if tag != getattr(meant, "__name__", None) and not tag.startswith("list["):
                return None
            spot = _Spot(spot.path, meant, spot.metadata, spot.doc)
            continue
        step = steps.pop(0)
        spot = _enter(spot, step)
        inside = _value_at(inside, step)
    return spot


def _meant(choices: Sequence[object], value: object) -> object | None:
    """Returns the member of a union that a value was meant to be, or None if it fits none by its shape."""
    if isinstance(value, list):
        return next((choice for choice in choices if get_origin(choice) is list), None)
    if isinstance(value, dict):
        sections = [cast("type[BaseModel]", choice) for choice in choices if words.is_model(choice)]
        if "kind" in value:
            return next((section for section in sections if words.kind_of(section) == value["kind"]), None)
        fitting = [section for section in sections if set(section.model_fields) & set(value)]
        return fitting[0] if len(fitting) == 1 else None
    return None


def _enter(spot: _Spot, step: str | int) -> _Spot:
    inner = words.members(spot.annotation)[0]
    path = (*spot.path, step)
    if words.is_model(inner):
        field = cast("type[BaseModel]", inner).model_fields.get(str(step))
        if field is None:
            return _Spot(path, inner)
        return _Spot(path, field.annotation, _metadata(field), field.description or "")
    arguments = get_args(inner)
    return _Spot(path, arguments[-1] if arguments else inner)


def _metadata(field: FieldInfo) -> tuple[object, ...]:
    return tuple(field.metadata)


def _value_at(inside: object, step: str | int) -> object:
    if isinstance(inside, dict):
        return inside.get(step)
    if isinstance(inside, list) and isinstance(step, int) and step < len(inside):
        return inside[step]
    return None


def _message(kind: str, spot: _Spot, document: Document) -> str:
    if kind == "extra_forbidden" and len(words.members(spot.annotation)) == 1:
        return _unknown_key(str(spot.path[-1]), cast("type[BaseModel]", words.members(spot.annotation)[0]))
    value: object = document.value
    for step in spot.path:
        value = _value_at(value, step)
    if kind == "missing" and value is None:
        return f"the key is missing. {spot.doc}".rstrip()
    expected = words.describe(spot.annotation, spot.metadata)
    found = words.found(value, document.texts.get(spot.path))
    return f"found {found}; expected {expected}{_hint(spot, value, document)}"


def _unknown_key(key: str, section: type[BaseModel]) -> str:
    if words.is_secret(key):
        return (
            "no such key; an API key stands in no recipe: set GEMINI_API_KEY or GOOGLE_API_KEY in the environment "
            "and take this line out"
        )
    if words.nearest(key, section.model_fields) is None and (home := _elsewhere(key)):
        return f'no such key here; did you mean "{home}"?'
    return f"no such key; {words.did_you_mean(key, section.model_fields)}"


def _elsewhere(key: str) -> str | None:
    """Returns the dotted place of a key that stands in another section."""
    for name, field in Recipe.model_fields.items():
        for part in words.members(field.annotation):
            if words.is_model(part) and key in cast("type[BaseModel]", part).model_fields:
                return f"{name}.{key}"
    return key if key in Recipe.model_fields else None


def _hint(spot: _Spot, value: object, document: Document) -> str:
    choices = words.members(spot.annotation)
    kinds = [kind for choice in choices if (kind := words.kind_of(choice)) is not None]
    if kinds and (hint := _hint_for_kind(kinds, value)):
        return hint
    if isinstance(value, str):
        return _hint_for_text(choices, value, words.literals(spot.annotation))
    if isinstance(value, dict):
        return _hint_for_section(choices, value)
    if value is None:
        return "; leave the key out for the defaults" if any(words.is_model(choice) for choice in choices) else ""
    return _hint_for_scalar(choices, value, document.texts.get(spot.path))


def _hint_for_kind(kinds: Sequence[str], value: object) -> str:
    """Hints at the kind of a section where there are several."""
    if isinstance(value, dict) and "kind" not in value:
        return f"; say its kind: {', '.join(kinds)}"
    kind = value["kind"] if isinstance(value, dict) else value
    close = words.nearest(kind, kinds) if isinstance(kind, str) else None
    return f"; did you mean {{kind: {close}}}?" if close is not None else ""


def _hint_for_scalar(choices: Sequence[object], value: object, written: str | None) -> str:
    if str in choices and isinstance(value, (bool, int, float)):
        plain = str(value).lower() if isinstance(value, bool) else str(value)
        return f"; put it in quotes: '{written or plain}'"
    if int in choices and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}"
    if not isinstance(value, list) and any(get_origin(choice) is list for choice in choices):
        return f"; for a list of one write [{value}]"
    return ""


def _hint_for_text(choices: Sequence[object], value: str, known: Sequence[str]) -> str:
    if bool in choices and value.casefold() in _SWITCHES:
        return "; YAML 1.2 knows only true and false"
    if (int in choices or float in choices) and looks_like_number(value):
        return "; take the quotes away"
    if known and (close := words.nearest(value, known)) is not None:
        return f'; did you mean "{close}"?' if close != value else f"; write [{value}]"
    if any(get_origin(choice) is list for choice in choices):
        return f"; for a list of one write [{value}]"
    return ""


def _hint_for_section(choices: Sequence[object], value: dict[object, object]) -> str:
    """Hints at what is wrong with a section that fits none of a union's sections."""
    keys = [key for choice in choices if words.is_model(choice) for key in cast("type[BaseModel]", choice).model_fields]
    if len(choices) < 2 or not keys:
        return ""
    unknown = [str(key) for key in value if key not in keys]
    if unknown and (close := words.nearest(unknown[0], keys)) is not None:
        return f'; did you mean "{close}"?'
    return "; give one of them" if len(set(value) & set(keys)) > 1 else ""
