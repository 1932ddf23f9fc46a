"""The writer that makes up tasks before it writes rows for them."""

from typing import Annotated

from pydantic import Field

from oreline.recipe.settings.base import Count, CountOrZero, Settings

_Weight = Annotated[float, Field(ge=0.0)]


class Brainstorm(Settings):
    """generated/brainstorm: tasks first, then query, positive and hard negative for each (E5-mistral, §3.1)."""

    rows: Count = 500
    """About how many rows are written, in all groups; answers that cannot be used leave fewer."""
    groups: dict[str, _Weight] | None = None
    """Weights of the taxonomy's groups, those left out get no rows; default: the taxonomy's own, the paper's counts."""
    languages: dict[str, _Weight] | None = None
    """Weights of languages by the taxonomy's codes, those left out are not used; default: the taxonomy's own."""
    taxonomy: str | None = None
    """A YAML file of your own with groups, fields and languages; default: the packaged one."""
    tasks_per_call: Annotated[int, Field(ge=1, le=100)] = 20
    """Tasks that one call makes up."""
    rows_per_task: Annotated[int, Field(ge=1, le=100)] = 2
    """Rows written for a task, each in a call of its own."""
    tasks_model: str | None = None
    """The one of the section's models that makes up tasks, by its name, while the others write the rows; default: all
    do both, by their shares."""
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "brainstorm"
    """Beginning of the datasets' names; the group's name follows after a dash."""
    seed: CountOrZero = 0
    """Another seed draws other languages, lengths, fields and so on, and asks anew."""
