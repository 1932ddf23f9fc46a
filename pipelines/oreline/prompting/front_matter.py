"""The parts of a prompt file: front matter, checked, and the sections with their place in the file."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from oreline.errors import CallError

InputKind = Literal["corpus", "value"]
Tokens = Annotated[int, Field(ge=1)]

_FENCE = "---"
_SECTION = re.compile(r"^<!--\s*(\w+)\s*-->\s*$")
_NAME = r"^[a-z][a-z0-9_]*$"


class PromptError(CallError):
    """A prompt file that cannot be used, or inputs that it does not take; the message names file and line."""


class PromptSettings(BaseModel):
    """Settings of a prompt that change its answers; the recipe's own go before them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: Annotated[float, Field(ge=0)] | None = None


class FrontMatter(BaseModel):
    """What a prompt file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str
    version: Annotated[int, Field(ge=1)]
    inputs: dict[Annotated[str, Field(pattern=_NAME)], InputKind]
    answer: str | dict[str, object]
    settings: PromptSettings = PromptSettings()
    expected_output_tokens: tuple[Tokens, Tokens] | None = None
    """Least and most tokens of a usual answer, for `oreline plan`; per item where the prompt has an input `count`."""

    @field_validator("expected_output_tokens", mode="before")
    @classmethod
    def _as_pair(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("expected_output_tokens")
    @classmethod
    def _in_order(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError(f"the first number, {value[0]}, is larger than the second, {value[1]}")
        return value


@dataclass(frozen=True)
class Section:
    """The text of a section and the file's line, from 1, on which it starts."""

    text: str
    line: int


@dataclass(frozen=True)
class PromptFile:
    """A prompt file taken apart."""

    front: FrontMatter
    system: Section | None
    user: Section


def split_file(source: str, text: str) -> PromptFile:
    """Takes a prompt file apart; raises PromptError, which names the file, the line and the remedy."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise PromptError(f"{source}:1: a prompt file starts with a line `---` and front matter; found {lines[0]!r}")
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise PromptError(f"{source}:1: the front matter has no end; close it with a line `---`")
    front = _front_matter(source, "\n".join(lines[1:end]))
    sections = _sections(source, lines, end + 1)
    if "user" not in sections:
        raise PromptError(f"{source}:{end + 2}: there is no user section; start it with a line `<!-- user -->`")
    return PromptFile(front, sections.get("system"), sections["user"])


def _front_matter(source: str, text: str) -> FrontMatter:
    try:
        loaded = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise PromptError(f"{source}:{line}: the front matter is no YAML ({error.problem})") from error
    if not isinstance(loaded, dict):
        raise PromptError(f"{source}:2: the front matter is not a mapping; it has the keys {_keys()}")
    try:
        return FrontMatter.model_validate(loaded)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise PromptError(
            f"{source}:{_line_of(text, first['loc'])}: front matter key `{key}`: {first['msg']}; the keys are {_keys()}"
        ) from error


def _keys() -> str:
    required = [name for name, spec in FrontMatter.model_fields.items() if spec.is_required()]
    optional = [name for name in FrontMatter.model_fields if name not in required]
    return f"{', '.join(required)} and, optional, {', '.join(optional)}"


def _line_of(text: str, place: tuple[int | str, ...]) -> int:
    """Returns the file's line on which the last key of `place` that the text has is written; 1 if there is none."""
    for key in reversed([part for part in place if isinstance(part, str)]):
        for number, line in enumerate(text.split("\n"), start=2):
            if re.match(rf"\s*{re.escape(key)}\s*:", line):
                return number
    return 1


def _sections(source: str, lines: list[str], start: int) -> dict[str, Section]:
    found: dict[str, tuple[int, list[str]]] = {}
    current: list[str] | None = None
    for number, line in enumerate(lines[start:], start=start + 1):
        heading = _SECTION.match(line)
        if heading is None:
            if current is not None:
                current.append(line)
            elif line.strip():
                raise PromptError(f"{source}:{number}: text before the first section; start with `<!-- system -->`")
            continue
        name = heading.group(1)
        if name not in ("system", "user"):
            raise PromptError(f"{source}:{number}: unknown section {name!r}; the sections are system and user")
        if name in found:
            raise PromptError(f"{source}:{number}: a second {name} section; the first is on line {found[name][0] - 1}")
        current = []
        found[name] = (number + 1, current)
    return {name: Section("\n".join(body).strip("\n"), first) for name, (first, body) in found.items()}
