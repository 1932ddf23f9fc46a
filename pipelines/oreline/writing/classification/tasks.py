"""Classification tasks as data: classes, whose texts about what, and the lists that are made up first."""

from typing import Annotated

from pydantic import Field, StringConstraints

from oreline.errors import RecipeError
from oreline.recipe.settings.base import Settings
from oreline.recipe.words import did_you_mean
from oreline.writing.data_files import DataFile, read_own, read_packaged

_Line = Annotated[str, StringConstraints(min_length=1)]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
_Input = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]

TAKEN = frozenset({"person", "subject", "count", "order", "classes", "language"})
"""Inputs of the prompt of texts that are not drawn under names of the file's choice."""

KEPT = frozenset({"kind", "person_key", "subject_key"})
"""Names under which `lineage.drawn` keeps something else already."""


class Listed(Settings):
    """What one of the first calls makes up."""

    what: _Line
    """What is listed."""
    details: _Line
    """What an entry says of each."""
    examples: list[_Line] = Field(default=[])
    """A few entries."""
    angles: list[_Line] = Field(default=[])
    """One is drawn for each list."""


class ClassTask(Settings):
    """A classification task."""

    instruction: _Line
    """Instruction of its queries."""
    classes: Annotated[dict[_Line, _Line], Field(min_length=2)]
    """Each class with what it means."""
    person: _Line
    """The list of who writes."""
    subject: _Line
    """The list of what is written about."""
    prompt: _Line
    """The prompt that writes the texts."""
    draw: dict[_Input, Annotated[list[_Line], Field(min_length=1)]] = Field(default={})
    """What is drawn for each list of texts: values by name."""


class ClassTasks(Settings):
    """Tasks with their lists."""

    tasks: Annotated[dict[_Name, ClassTask], Field(min_length=1)]
    """Tasks by name."""
    lists: Annotated[dict[_Line, Listed], Field(min_length=1)]
    """Lists by name."""


def read_packaged_tasks() -> DataFile[ClassTasks]:
    """Reads the packaged tasks: counterfactual, sentiment, reviews."""
    return _checked(read_packaged(ClassTasks, "classification", "tasks.yaml"))


def read_own_task(path: str) -> tuple[str, DataFile[ClassTasks]]:
    """Reads a user's file and returns its one task's name with it; raises RecipeError with a line per problem."""
    found = _checked(read_own(ClassTasks, path))
    names = list(found.value.tasks)
    if len(names) > 1:
        raise found.wrong(("tasks", names[1]), f"a file of your own has one task; this has {', '.join(names)}")
    return names[0], found


def _checked(found: DataFile[ClassTasks]) -> DataFile[ClassTasks]:
    problems: list[str] = []
    for name, task in found.value.tasks.items():
        for role, wanted in (("person", task.person), ("subject", task.subject)):
            if wanted not in found.value.lists:
                told = f"there is no list {wanted!r}; {did_you_mean(wanted, found.value.lists)}"
                problems.append(str(found.wrong(("tasks", name, role), told)))
        problems += [
            str(found.wrong(("tasks", name, "draw", each), f"{each} is given to the prompt already; name it otherwise"))
            for each in sorted(TAKEN & set(task.draw))
        ]
        problems += [
            str(found.wrong(("tasks", name, "draw", each), f"{each} says something else of a row; name it otherwise"))
            for each in sorted(KEPT & set(task.draw))
        ]
        folded = [label.casefold().strip() for label in task.classes]
        if len(set(folded)) < len(folded):
            problems.append(str(found.wrong(("tasks", name, "classes"), "two classes have one name but for capitals")))
    if problems:
        raise RecipeError("\n".join(problems))
    return found
