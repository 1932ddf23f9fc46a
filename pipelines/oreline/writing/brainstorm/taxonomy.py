"""The taxonomy as data: groups of rows, the fields that tasks are drawn from, languages with their weights."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from oreline.errors import RecipeError
from oreline.languages import CODE
from oreline.recipe.settings import Brainstorm
from oreline.recipe.settings.base import Settings
from oreline.recipe.words import did_you_mean
from oreline.records import TaskType
from oreline.writing.data_files import DataFile, read_own, read_packaged

_Weight = Annotated[float, Field(ge=0.0)]
_Line = Annotated[str, StringConstraints(min_length=1)]
_Input = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]

TAKEN = frozenset({"task", "language", "language_2"})
"""Inputs of a row's prompt that are not drawn under names of the taxonomy's choice."""

KEPT = frozenset({"kind", "languages", "task_key"})
"""Names under which `lineage.drawn` keeps something else already."""


class Kind(Settings):
    """What the first call is told of a group."""

    query: _Line
    """What stands in for the query."""
    document: _Line
    """What stands in for the document."""
    examples: list[_Line] = Field(default=[])
    """A few task strings."""


class Group(Settings):
    """One kind of rows."""

    share: _Weight
    """Its part of all rows, relative to the others."""
    task_type: TaskType
    """Task of its queries."""
    tasks: Kind | None = None
    """What the first call is told; without it each row is written in one call."""
    instruction: _Line | None = None
    """Instruction of its queries where there is no first call; else the task string is."""
    prompt: _Line
    """The prompt that writes a row."""
    languages: Literal[1, 2] = 1
    """1: one for all texts; 2: one for the query, another for the documents."""
    draw: dict[_Input, Annotated[list[_Line], Field(min_length=1)]] = Field(default={})
    """What is drawn for each row: values by name."""


class Taxonomy(Settings):
    """Everything that a brainstorm draws from."""

    groups: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")], Group], Field(min_length=1)
    ]
    """The kinds of rows by name."""
    fields: list[_Line] = Field(default=[])
    """Fields of which each first call gets one; none are given where there are none."""
    languages: Annotated[dict[Annotated[str, StringConstraints(pattern=CODE)], _Weight], Field(min_length=1)]
    """Weights of languages by ISO 639 code."""


def read_taxonomy(path: str | None) -> DataFile[Taxonomy]:
    """Reads a user's taxonomy, or without a path the packaged one; raises RecipeError with a line per problem."""
    found = read_own(Taxonomy, path) if path is not None else read_packaged(Taxonomy, "generated", "taxonomy.yaml")
    problems: list[str] = []
    for name, group in found.value.groups.items():
        if (group.tasks is None) == (group.instruction is None):
            told = "a group has `tasks`, for a first call, or `instruction`, without one; " + (
                "this has neither" if group.tasks is None else "this has both"
            )
            problems.append(str(found.wrong(("groups", name), told)))
        problems += [
            str(
                found.wrong(("groups", name, "draw", each), f"{each} is given to the prompt already; name it otherwise")
            )
            for each in sorted(TAKEN & set(group.draw))
        ]
        problems += [
            str(found.wrong(("groups", name, "draw", each), f"{each} says something else of a row; name it otherwise"))
            for each in sorted(KEPT & set(group.draw))
        ]
    if problems:
        raise RecipeError("\n".join(problems))
    return found


def group_weights(settings: Brainstorm, taxonomy: Taxonomy) -> dict[str, float]:
    """Returns the weights of groups, the recipe's before the taxonomy's; raises RecipeError for an unknown group."""
    own = {name: group.share for name, group in taxonomy.groups.items()}
    return _chosen("synthesize.brainstorm.groups", "group", settings.groups, own)


def language_weights(settings: Brainstorm, taxonomy: Taxonomy) -> dict[str, float]:
    """Returns the weights of languages by code; raises RecipeError for an unknown one, or too few for two languages."""
    key = "synthesize.brainstorm.languages"
    weights = _chosen(key, "language", settings.languages, taxonomy.languages)
    if len(weights) > 1:
        return weights
    for name, weight in group_weights(settings, taxonomy).items():
        if weight > 0.0 and taxonomy.groups[name].languages > 1:
            raise RecipeError(
                f"{key}: the group {name} writes in two languages, but {', '.join(weights)} "
                f"is the only one; name another, or leave the group out, as in groups: {{{name}: 0, ...}}"
            )
    return weights


def _chosen(key: str, what: str, wanted: dict[str, float] | None, own: dict[str, float]) -> dict[str, float]:
    for name in wanted or ():
        if name not in own:
            raise RecipeError(f"{key}.{name}: the taxonomy has no {what} {name!r}; {did_you_mean(name, own)}")
    weights = {name: weight for name, weight in (own if wanted is None else wanted).items() if weight > 0.0}
    if not weights:
        raise RecipeError(f"{key}: no weight is above 0, so nothing would be written")
    return weights
