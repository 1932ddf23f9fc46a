"""Answers of a model, parsed by pydantic and by nothing else."""

import re
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from oreline.ids import Json

Model = TypeVar("Model", bound=BaseModel)

_FENCE = re.compile(r"\A\s*```[A-Za-z]*[ \t]*\r?\n(.*?)\r?\n?\s*```\s*\Z", re.DOTALL)
_SHOWN_ERRORS = 3


@dataclass(frozen=True)
class Unusable:
    """An answer that does not follow its schema: the reject code, and what is wrong with it."""

    reason: str
    detail: str


def parse(model_type: type[Model], text: str) -> Model | Unusable:
    """Returns the answer in `text`, JSON, perhaps inside a code fence, or says why it cannot be used."""
    fenced = _FENCE.match(text)
    body = (fenced.group(1) if fenced else text).strip()
    if not body:
        return Unusable("unparsable", "the answer is empty")
    try:
        return model_type.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        shown = "; ".join(
            f"{'.'.join(str(part) for part in each['loc']) or 'answer'}: {each['msg']}"
            for each in problems[:_SHOWN_ERRORS]
        )
        more = f" and {len(problems) - _SHOWN_ERRORS} more" if len(problems) > _SHOWN_ERRORS else ""
        return Unusable("unparsable", f"the answer is not a {model_type.__name__}: {shown}{more}")


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
