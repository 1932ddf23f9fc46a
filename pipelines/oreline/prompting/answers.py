"""Answers of a model, parsed by pydantic and by nothing else."""

import json
import math
from dataclasses import dataclass
from typing import NoReturn, TypeVar, cast

from pydantic import BaseModel, ValidationError

from oreline.ids import Json

Model = TypeVar("Model", bound=BaseModel)

_FENCE = "```"
_LONGEST = 250_000
"""Characters of an answer, at most: a hundred times what any asks for, and little enough to list all that is wrong."""
_SHOWN_ERRORS = 3
_SHOWN_CHARACTERS = 500


@dataclass(frozen=True)
class Unusable:
    """An answer that does not follow its schema: the reject code, and what is wrong with it."""

    reason: str
    detail: str


def parse(model_type: type[Model], text: str) -> Model | Unusable:
    """Returns the answer in `text`, one JSON value, perhaps inside a code fence, or says why it cannot be used.

    Types must be the schema's own: a number in quotes is no number. Keys that the schema does not have are left out; a
    key that stands twice, and NaN or infinity, which JSON does not have, make an answer unusable.
    """
    if len(text) > _LONGEST:
        return Unusable("unparsable", f"the answer has {len(text):,} characters; at most {_LONGEST:,} are read")
    body = _without_fence(text.strip())
    if not body:
        return Unusable("unparsable", "the answer is empty")
    try:
        answer = model_type.model_validate_json(body, strict=True)
        _PLAIN_JSON.decode(body)
    except ValidationError as error:
        return Unusable("unparsable", f"the answer is not a {model_type.__name__}: {_problems(error)}")
    except _NotPlainJson as error:
        return Unusable("unparsable", f"the answer is not a {model_type.__name__}: {error}")
    return answer


def _problems(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    shown = "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'answer'}: {each['msg']}" for each in problems[:_SHOWN_ERRORS]
    )
    more = f" and {len(problems) - _SHOWN_ERRORS} more" if len(problems) > _SHOWN_ERRORS else ""
    return shown[:_SHOWN_CHARACTERS] + more


def _without_fence(text: str) -> str:
    if not (text.startswith(_FENCE) and text.endswith(_FENCE) and len(text) > 2 * len(_FENCE)):
        return text
    language, newline, inner = text[len(_FENCE) : -len(_FENCE)].partition("\n")
    is_fence = newline and (language.strip() == "" or language.strip().isalpha())
    return inner.strip() if is_fence else text


class _NotPlainJson(ValueError):
    """JSON that says more than one thing, or none."""


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _NotPlainJson(f"the key {twice[:40]!r} stands more than once")
    return found


def _no_number(constant: str) -> NoReturn:
    raise _NotPlainJson(f"{constant} is no number of JSON")


def _finite(digits: str) -> float:
    return float(digits) if math.isfinite(float(digits)) else _no_number(digits[:40])


_PLAIN_JSON = json.JSONDecoder(object_pairs_hook=_each_once, parse_constant=_no_number, parse_float=_finite)


def answer_schema(model_type: type[BaseModel]) -> Json:
    """Returns the JSON Schema that is sent with a request: pydantic's, without the titles, which say nothing new."""
    return _without_titles(cast("Json", model_type.model_json_schema()))


def _without_titles(schema: Json, *, names: bool = False) -> Json:
    """`names` says that the keys are names of fields, one of which may well be `title`."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value, names=not names and key in ("properties", "$defs"))
        for key, value in schema.items()
        if names or key != "title"
    }
