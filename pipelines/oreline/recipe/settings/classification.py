"""The writers of classification data: texts made up with their classes, and texts of labelled sets."""

from typing import Annotated

from pydantic import Field

from oreline.languages import CODE
from oreline.recipe.settings.base import Count, CountOrZero, Settings

_Weight = Annotated[float, Field(ge=0.0)]


class Classification(Settings):
    """classification/counterfactual, /sentiment, /reviews, /task: people and things first, then labelled texts."""

    rows: Count = 320
    """About how many labelled texts each of these writers writes."""
    task: str | None = None
    """A YAML file of your own with a task and its lists, for classification/task."""
    list_length: Annotated[int, Field(ge=2, le=200)] = 40
    """People, and things, that are listed in one call each."""
    texts_length: Annotated[int, Field(ge=2, le=200)] = 16
    """Texts that one call writes; long ones may need a larger llm.max_output_tokens."""
    tail: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """Part of a list, from its end, that is used: later entries are less usual. 1 uses all."""
    parents: Annotated[int, Field(ge=1, le=100)] = 4
    """Pairs of a person and a thing that are drawn from two lists; a positive is about another thing where it can be,
    a negative about the same."""
    languages: dict[Annotated[str, Field(pattern=CODE)], _Weight] = Field(default={"en": 1.0})
    """Weights of the texts' languages by ISO 639 code."""
    lists_model: str | None = None
    """The one of the section's models that makes up the lists, by its name, while the others write the texts; default:
    all do both, by their shares."""
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "classification"
    """Beginning of the datasets' names; the task's name follows after a dash."""
    seed: CountOrZero = 0
    """Another seed draws other people and things, and asks anew."""


class Labelled(Settings):
    """classification/labelled: documents with a `group` become queries, each with texts of its own class and others."""

    positives: Count = 1
    """Texts of the same class for each text."""
    negatives: CountOrZero = 1
    """Texts of other classes for each text, as known negatives; mining adds harder ones."""
    members: Count = 1_000
    """Texts of a class that others get as positives and negatives, chosen by a hash of the id; memory grows with it."""
    instruction: str = "Given a text, find texts of the same class."
    """Instruction of the queries."""
    seed: CountOrZero = 0
    """Another seed chooses other texts."""
