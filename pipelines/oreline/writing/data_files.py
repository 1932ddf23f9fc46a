"""Data files of writers: YAML that a user may replace, checked against its types; errors name line and column."""

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml.nodes import MappingNode

from oreline import files, resources
from oreline.errors import RecipeError
from oreline.recipe.document import Document, compose, parse_document, printable
from oreline.recipe.words import nearest

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class DataFile(Generic[Model]):
    """What a data file says; `digest` is the sha256 of its text."""

    source: str
    value: Model
    digest: str
    document: Document

    def wrong(self, path: tuple[str | int, ...], message: str) -> RecipeError:
        """Returns the error about a key of the file."""
        return RecipeError(self.document.problem(path, message))


def read_packaged(model: type[Model], *parts: str) -> DataFile[Model]:
    """Reads one of our own files, below `prompts/`."""
    return _parsed(model, "/".join(parts), resources.read("prompts", *parts))


def read_own(model: type[Model], path: str) -> DataFile[Model]:
    """Reads a user's file; raises RecipeError with a line per problem, or if there is no such file."""
    try:
        text = files.read_bytes(path).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise RecipeError(
            f"{path}: there is no such file; `oreline init --prompts DIR` writes ours for editing"
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    return _parsed(model, path, text)


def _parsed(model: type[Model], source: str, text: str) -> DataFile[Model]:
    if not isinstance(compose(text, source), MappingNode):
        raise RecipeError(f"{source}:1: expected a mapping with the keys {', '.join(model.model_fields)}")
    document = parse_document(text, source)
    try:
        value = model.model_validate(document.value)
    except ValidationError as error:
        raise RecipeError("\n".join([*document.problems, *_problems(error, document, model)])) from error
    if document.problems:
        raise RecipeError("\n".join(document.problems))
    return DataFile(source, value, hashlib.sha256(text.encode()).hexdigest(), document)


def _problems(error: ValidationError, document: Document, model: type[BaseModel]) -> list[str]:
    """Returns a line per wrong key: where it stands, what is wrong, what was found."""
    lines: dict[tuple[str | int, ...], str] = {}
    for each in error.errors(include_url=False):
        path = tuple(step for step in each["loc"] if step != "[key]")
        if each["type"] == "extra_forbidden":
            near = nearest(str(path[-1]), _known(model))
            message = f'no such key; did you mean "{near}"?' if near else "no such key"
        elif each["type"] == "missing":
            message = "the key is missing"
        else:
            message = f"{each['msg']}; found {printable(repr(each['input']))[:100]}"
        lines.setdefault(path, document.problem(path, message))
    return list(lines.values())


def _known(model: type[BaseModel]) -> list[str]:
    """Returns all keys that may stand anywhere in such a file."""
    schema = model.model_json_schema()
    sections = [schema, *schema.get("$defs", {}).values()]
    return [name for section in sections for name in section.get("properties", {})]
