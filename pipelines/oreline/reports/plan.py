"""What a run would do: which stages run, which are there, and how many calls a model would get. Spends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from rich.table import Table

from oreline.ids import Json
from oreline.planning import Planned
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import model_of
from oreline.writing.catalog import writer_of

Exactness = Literal["at most", "unknown"]
_SHOWN = {
    "skipped": "skipped",
    "finished": "is there",
    "adopt": "is adopted",
    "run": "runs",
    "depends": "runs, unless its inputs turn out equal",
    "left_out": "left out",
}


@dataclass(frozen=True)
class Calls:
    """How many calls a stage would make, before the journal is looked at; `number` is None where nothing is known."""

    stage: str
    number: int | None
    exactness: Exactness


def calls_of(recipe: Recipe, plan: Sequence[Planned]) -> list[Calls]:
    """Returns the calls of each stage that would ask a model.

    Counts are upper bounds as long as earlier stages may still drop documents or queries.
    """
    found: list[Calls] = []
    for planned in plan:
        if planned.status not in ("run", "depends"):
            continue
        per_unit = _calls_per_unit(recipe, planned.stage.name)
        if per_unit == 0:
            continue
        if planned.units is None:
            found.append(Calls(planned.stage.name, None, "unknown"))
        else:
            found.append(Calls(planned.stage.name, planned.units * per_unit, "at most"))
    return found


def _calls_per_unit(recipe: Recipe, stage: str) -> int:
    if model_of(recipe, stage) is None:
        return 0
    if stage == "synthesize":
        return sum(1 for name in recipe.writers() if writer_of(name).needs_llm)
    return len(recipe.judge.scorers) if stage == "judge" else 1


def plan_table(plan: Sequence[Planned]) -> Table:
    """Returns the plan as a table for a terminal."""
    table = Table(title="What a run would do", title_justify="left")
    for heading in ("stage", "what", "units", "why"):
        table.add_column(heading, justify="right" if heading == "units" else "left")
    for each in plan:
        units = "" if each.units is None else f"{each.units:,}"
        table.add_row(each.stage.name, _SHOWN[each.status], units, each.cause)
    return table


def calls_text(calls: Sequence[Calls]) -> str:
    """Returns a line per stage that would call a model, or one that says that none would."""
    if not calls:
        return "No model would be called."
    lines = []
    for each in calls:
        number = "not known before its inputs are there" if each.number is None else f"{each.exactness} {each.number:,}"
        lines.append(f"{each.stage}: calls to a model: {number}")
    return "\n".join(lines)


def plan_json(plan: Sequence[Planned], calls: Sequence[Calls]) -> Json:
    """Returns the plan as data."""
    stages: list[Json] = [
        {"stage": each.stage.name, "status": each.status, "cause": each.cause, "units": each.units} for each in plan
    ]
    asked: list[Json] = [{"stage": each.stage, "calls": each.number, "exactness": each.exactness} for each in calls]
    return cast("Json", {"stages": stages, "calls": asked})
