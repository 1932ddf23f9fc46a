"""Types and values of a recipe in words, for its error messages."""

import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_SCALARS: dict[object, tuple[str, str]] = {
    str: ("text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
    type(None): ("null", "null"),
}

_SECRETS = frozenset({"key", "apikey", "token", "secret", "password"})


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Returns the known word that `word` was most likely meant to be, or None if none is near."""
    by_folded = {each.casefold(): each for each in known}
    longer = [each for each in by_folded if len(word) > 3 and each.startswith(word.casefold())]
    if len(longer) == 1:
        return by_folded[longer[0]]
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns `did you mean "window"?`, or the known words where none is near."""
    choices = list(known)
    close = nearest(word, choices)
    return f'did you mean "{close}"?' if close else f"known: {', '.join(choices)}"


def is_secret(key: str) -> bool:
    """Says whether a key's name promises a secret, such as `api_key` or `hf_token`."""
    return bool(_SECRETS & set(key.casefold().replace("-", "_").split("_")))


def members(annotation: object) -> tuple[object, ...]:
    """Returns the members of a union other than None, bare of `Annotated`; of anything else, itself."""
    bare = without_annotated(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        return tuple(without_annotated(part) for part in get_args(bare) if part is not type(None))
    return (bare,)


def without_annotated(annotation: object) -> object:
    """Returns the type inside `Annotated`."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def is_model(annotation: object) -> bool:
    """Says whether a type is a section of the recipe."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def kind_of(annotation: object) -> str | None:
    """Returns the word by which a section says which one it is (`kind: faiss_ivf`), or None if it has none."""
    field = cast("type[BaseModel]", annotation).model_fields.get("kind") if is_model(annotation) else None
    words = literals(field.annotation) if field is not None else []
    return words[0] if len(words) == 1 else None


def literals(annotation: object) -> list[str]:
    """Returns the fixed words that a type admits, those inside lists and unions too."""
    words: list[str] = []
    for part in members(annotation):
        if get_origin(part) is Literal:
            words += [str(each) for each in get_args(part)]
        elif get_origin(part) is list:
            words += literals(get_args(part)[0])
    return words


def describe(annotation: object, metadata: Iterable[object] = ()) -> str:
    """Returns what a key takes, such as `a whole number of 1 or more`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return describe(inner, [*metadata, *more])
    if origin in (Union, types.UnionType):
        return ", or ".join(describe(part, metadata) for part in get_args(annotation))
    if origin is Literal:
        words = [str(each) for each in get_args(annotation)]
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    if origin is list:
        return _describe_list(get_args(annotation)[0], metadata)
    return _describe_plain(annotation, metadata)


def _describe_plain(annotation: object, metadata: Iterable[object]) -> str:
    if (kind := kind_of(annotation)) is not None:
        return f"{{kind: {kind}, ...}}"
    if is_model(annotation):
        fields = list(cast("type[BaseModel]", annotation).model_fields)
        return f"{{{fields[0]}: ...}}" if len(fields) == 1 else f"a section with the keys {', '.join(fields)}"
    if get_origin(annotation) is dict:
        return "a mapping"
    return _SCALARS.get(annotation, (str(annotation), ""))[0] + _bounds(metadata)


def _describe_list(element: object, metadata: Iterable[object]) -> str:
    lengths = [each for each in metadata if isinstance(each, (Len, MinLen, MaxLen, FieldInfo))]
    flat = [inner for each in lengths for inner in (each.metadata if isinstance(each, FieldInfo) else [each])]
    least = max((each.min_length for each in flat if isinstance(each, (Len, MinLen))), default=0)
    most = next((each.max_length for each in flat if isinstance(each, (Len, MaxLen))), None)
    bare = without_annotated(element)
    more = get_args(element)[1:] if get_origin(element) is Annotated else ()
    what = "sections" if is_model(bare) else describe(bare)
    if bare in _SCALARS:
        what = _SCALARS[bare][1] + _bounds(more)
    if most is not None and most == least:
        return f"a list of {most} {what}"
    return f"a list of {'at least 1 of ' if least and get_origin(bare) is Literal else ''}{what}"


def _bounds(metadata: Iterable[object]) -> str:
    lowest: str | None = None
    highest: str | None = None
    pattern = ""
    for each in metadata:
        inner = each.metadata if isinstance(each, FieldInfo) else [each]
        for bound in inner:
            if isinstance(bound, Ge):
                lowest = f"{bound.ge:g}" if isinstance(bound.ge, (int, float)) else str(bound.ge)
            elif isinstance(bound, Gt):
                lowest = f"more than {bound.gt}"
            elif isinstance(bound, Le):
                highest = f"{bound.le:g}" if isinstance(bound.le, (int, float)) else str(bound.le)
            elif isinstance(bound, Lt):
                highest = f"less than {bound.lt}"
            elif (found := getattr(bound, "pattern", None)) is not None:
                pattern = f" that matches {found}"
    if lowest is not None and highest is not None:
        return f" from {lowest} to {highest}{pattern}"
    if lowest is not None:
        return (f" {lowest}" if lowest.startswith("more") else f" of {lowest} or more") + pattern
    return (f" of at most {highest}" if highest is not None else "") + pattern


def found(value: object, written: str | None = None) -> str:
    """Returns what stands in a recipe, in words: `the text 'on'`, `the number 12`."""
    if isinstance(value, bool):
        return f"the value {str(value).lower()}"
    if isinstance(value, (int, float)):
        reading = f" (read from {written})" if written is not None and written != str(value) else ""
        return f"the number {value}{reading}"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, dict):
        keys = ", ".join(map(str, value))
        return f"a section with the {'key' if len(value) == 1 else 'keys'} {keys}" if value else "an empty section"
    return "nothing (null)" if value is None else _found_other(value)


def _found_other(value: object) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else f"a {type(value).__name__}"
