"""Prompt files: YAML front matter, then a system and a user section of Jinja2 text.

    ---
    id: retrieval/fret
    version: 1
    inputs:
      document: corpus     # text of the corpus: `{{ document }}` gives it between <document> and </document>
      count: value         # a value of the caller's own, placed as it is
    answer: FretAnswer     # name of the pydantic model that parses the answer, or a JSON Schema of its own
    settings: {temperature: 0.7}   # optional; the recipe's llm.temperature goes before it
    expected_output_tokens: [60, 150]   # optional, for `oreline plan`; per item where there is an input `count`
    ---
    <!-- system -->
    You write search queries ...
    <!-- user -->
    Write {{ count }} queries for this document.
    {{ document }}

An input of kind `corpus` is a string, or a list of strings that are numbered from 1 (`<document number="1">`). It is
placed whole: no filter, index or loop may touch it. Tags of the file's own around it are safe from the text as well.
The system section may be left out.
"""

import hashlib
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TypeAlias, cast

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from oreline import files, resources
from oreline.ids import Json
from oreline.prompting.answers import answer_schema
from oreline.prompting.delimiting import delimit
from oreline.prompting.front_matter import InputKind, PromptError, PromptFile, Section, split_file
from oreline.prompting.placing import misplaced, tags_of

Input: TypeAlias = str | int | float | bool | Sequence[str] | None

_HASHABLE = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Rendered:
    """A prompt with its inputs filled in, ready for `llm.requests.request_for`.

    `items` is its input `count`, of which `expected_output_tokens` are said per item; 1 for a prompt without.
    """

    prompt_id: str
    prompt_version: int
    system: str | None
    user: str
    answer_schema: Json
    settings: dict[str, Json]
    items: int = 1


@dataclass(frozen=True)
class Prompt:
    """A prompt file that was read and checked; picklable.

    `source` is the file, for messages; `digest` is the sha256 of its text, for fingerprints; `system_line` and
    `user_line` are where the sections start. `offered` are the inputs that a caller may give although this file does
    not declare them.
    """

    source: str
    id: str
    version: int
    inputs: dict[str, InputKind]
    answer_schema: Json
    settings: dict[str, Json]
    system: str | None
    user: str
    system_line: int
    user_line: int
    digest: str
    offered: frozenset[str] = frozenset()
    expected_output_tokens: tuple[int, int] | None = None

    def render(self, inputs: Mapping[str, Input]) -> Rendered:
        """Returns the prompt with its inputs; corpus text comes delimited, and is never read as a template.

        Raises PromptError if an input is missing, unknown, or of the wrong type, or if the template fails.
        """
        self._check(inputs)
        inputs = {name: inputs[name] for name in self.inputs}
        values = {
            name: delimit(name, cast("str | Sequence[str]", value), self._tags)
            if self.inputs[name] == "corpus"
            else value
            for name, value in inputs.items()
        }
        system = None if self.system is None else self._fill(self.system, self.system_line, values)
        user = self._fill(self.user, self.user_line, values)
        count = inputs.get("count", 1)
        items = count if isinstance(count, int) else 1
        return Rendered(self.id, self.version, system, user, self.answer_schema, self.settings, items)

    @cached_property
    def _tags(self) -> frozenset[str]:
        """The names of the tags that its text could take for its own."""
        corpus = {name for name, kind in self.inputs.items() if kind == "corpus"}
        return tags_of(self.system or "") | tags_of(self.user) | corpus

    def _check(self, inputs: Mapping[str, Input]) -> None:
        if missing := [name for name in self.inputs if name not in inputs]:
            raise PromptError(f"{self.source}: the input {missing[0]!r} is declared but was not given")
        if unknown := [name for name in inputs if name not in self.inputs and name not in self.offered]:
            declared = ", ".join(self.inputs) or "none"
            raise PromptError(f"{self.source}: unknown input {unknown[0]!r}; its front matter declares {declared}")
        for name, kind in self.inputs.items():
            if kind != "corpus" or isinstance(value := inputs[name], str):
                continue
            if not (isinstance(value, Sequence) and all(isinstance(text, str) for text in value)):
                raise PromptError(
                    f"{self.source}: the input {name!r} is corpus text, a string or a list of strings; "
                    f"found {type(value).__name__}"
                )

    def _fill(self, text: str, line: int, values: Mapping[str, object]) -> str:
        used = _used(text)
        own = [(name, value) for name, value in values.items() if name in used]
        repeats = all(self.inputs[name] == "value" and isinstance(value, _HASHABLE) for name, value in own)
        try:
            if repeats:
                return _filled(text, tuple((name, type(value), value) for name, value in own))
            return _template(text).render(values)
        except UndefinedError as error:
            raise PromptError(f"{self.source}:{line}: {error.message}; declare it under `inputs`") from error
        except (TemplateError, TypeError, ArithmeticError) as error:
            raise PromptError(f"{self.source}:{line}: the section cannot be rendered ({error})") from error


def load(source: str, answer: type[BaseModel], offered: Collection[str] = ()) -> Prompt:
    """Reads a prompt: `retrieval/fret` for one of ours, a path ending in `.md` for a file of one's own.

    `answer` is the model that will parse the answer. The file's `answer` is its name, or a JSON Schema that is sent
    in place of the model's. `offered` are the inputs that the caller has; the file may declare some or all of them,
    and where it is left empty, anything. Raises PromptError, which names the file, the line and the remedy.
    """
    return _loaded(source, _read(source), answer, frozenset(offered))


@lru_cache(maxsize=64)
def _loaded(source: str, text: str, answer: type[BaseModel], offered: frozenset[str]) -> Prompt:
    """Returns what `load` makes of a file's text: a run loads its prompts for its checks, its plan, and each step."""
    parts = split_file(source, text)
    if offered and (strange := sorted(set(parts.front.inputs) - set(offered))):
        raise PromptError(
            f"{source}: it declares the input {strange[0]!r}, which is not given here; "
            f"inputs to choose from: {', '.join(sorted(offered))}"
        )
    for section in (parts.system, parts.user):
        if section is not None:
            _check_template(source, section, parts.front.inputs)
    front = parts.front
    return Prompt(
        source=source,
        id=front.id,
        version=front.version,
        inputs=dict(front.inputs),
        answer_schema=_schema(source, parts, answer),
        settings=cast("dict[str, Json]", front.settings.model_dump(exclude_none=True)),
        system=parts.system.text if parts.system else None,
        user=parts.user.text,
        system_line=parts.system.line if parts.system else 0,
        user_line=parts.user.line,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        offered=offered,
        expected_output_tokens=front.expected_output_tokens,
    )


def _read(source: str) -> str:
    if not source.endswith(".md"):
        try:
            return resources.read("prompts", *f"{source}.md".split("/"))
        except FileNotFoundError as error:
            raise PromptError(
                f"there is no prompt {source!r}; a file of one's own is given by its path, which ends in .md, "
                "and `oreline init --prompts DIR` copies ours for editing"
            ) from error
    try:
        return files.read_bytes(source).decode()
    except FileNotFoundError as error:
        raise PromptError(f"{source}: there is no such prompt file") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{source}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _schema(source: str, parts: PromptFile, answer: type[BaseModel]) -> Json:
    stated = parts.front.answer
    if isinstance(stated, dict):
        return cast("Json", stated)
    if stated != answer.__name__:
        raise PromptError(
            f"{source}: its answer is {stated!r}, but what reads it expects {answer.__name__}; "
            f"write `answer: {answer.__name__}`, or a JSON Schema that such an answer meets"
        )
    return answer_schema(answer)


def _check_template(source: str, section: Section, inputs: Mapping[str, InputKind]) -> None:
    try:
        tree = _environment().parse(section.text)
        used = meta.find_undeclared_variables(tree)
    except TemplateSyntaxError as error:  # an unknown filter is one too
        line = section.line + error.lineno - 1
        raise PromptError(f"{source}:{line}: the template has a syntax error ({error.message})") from error
    for name in sorted(used):
        if name not in inputs:
            line = section.line + next(
                (number for number, text in enumerate(section.text.split("\n")) if name in text), 0
            )
            raise PromptError(f"{source}:{line}: the template uses {name!r}; declare it under `inputs`")
    if found := misplaced(tree, {name for name, kind in inputs.items() if kind == "corpus"}):
        name, line = found
        raise PromptError(
            f"{source}:{section.line + line - 1}: {name!r} is corpus text, whose delimiters hold only if it is placed "
            f"whole, as `{{{{ {name} }}}}`; take away the filter, index or loop around it"
        )


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    # Nothing is escaped for HTML: the text goes to a model, and corpus text is delimited by `delimiting`.
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _template(text: str) -> Template:
    template = _environment().from_string(text)
    # One dictionary instead of Jinja's chain of them, which it would go through twice for every prompt.
    template.globals = dict(template.globals)
    return template


@cache
def _used(text: str) -> frozenset[str]:
    """Returns the names of the inputs that a template uses."""
    return frozenset(meta.find_undeclared_variables(_environment().parse(text)))


@lru_cache(maxsize=64)
def _filled(text: str, values: tuple[tuple[str, type, Hashable], ...]) -> str:
    """Returns a template with values filled in, most often a system instruction: the same for all requests."""
    return _template(text).render({name: value for name, _, value in values})
