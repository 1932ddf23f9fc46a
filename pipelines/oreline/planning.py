"""What a run would do, stage by stage, before it does anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from oreline import files
from oreline.adoption import adoptable
from oreline.errors import BrokenTable, CallError
from oreline.fingerprint import finished, inputs_of, pending
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import BY_NAME, STAGES, Stage
from oreline.tables.manifest import Manifest, manifest_path, read_manifest

Status = Literal["skipped", "finished", "adopt", "run", "depends", "left_out"]


@dataclass(frozen=True)
class Planned:
    """One stage of a plan.

    `adopt` means: an earlier output has it with an equal fingerprint. `depends` means: it runs unless an earlier stage
    turns out to write what it wrote before. `units` is how many it will see, if its inputs are there. `cause` is why,
    in a few words.
    """

    stage: Stage
    status: Status
    cause: str
    units: int | None = None
    manifest: Manifest | None = None


def chosen_stages(only: str | None, until: str | None) -> Sequence[Stage]:
    """Returns the stages that --only or --until leave; raises CallError for an unknown name or for both."""
    if only is not None and until is not None:
        raise CallError("--only and --until exclude each other; give one of them")
    for name in (only, until):
        if name is not None and name not in BY_NAME:
            raise CallError(f"there is no stage {name!r}; stages are {', '.join(BY_NAME)}")
    if only is not None:
        return [BY_NAME[only]]
    if until is not None:
        return STAGES[: STAGES.index(BY_NAME[until]) + 1]
    return STAGES


def plan_stages(
    recipe: Recipe, *, only: str | None = None, until: str | None = None, adopt_from: str | None = None
) -> list[Planned]:
    """Returns every stage with what a run would do about it; raises CallError if a source or encoder is not there."""
    chosen = chosen_stages(only, until)
    plan: list[Planned] = []
    adopted: dict[str, Manifest] = {}
    moved = False
    for stage in STAGES:
        cause = stage.skipped(recipe)
        if cause is not None:
            plan.append(Planned(stage, "skipped", cause))
        elif stage not in chosen:
            plan.append(Planned(stage, "left_out", "not asked for"))
        else:
            planned = _after_others(recipe, stage) if moved else _planned(recipe, stage, adopt_from, adopted)
            moved = moved or planned.status in ("run", "depends")
            if planned.status == "adopt" and planned.manifest is not None:
                adopted[stage.name] = planned.manifest
            plan.append(planned)
    return plan


def units_of(recipe: Recipe, stage: Stage, adopted: Mapping[str, Manifest] = MappingProxyType({})) -> int | None:
    """Returns how many units a stage will see, or None while its inputs are not there; `adopted` will be there."""
    if not stage.units:
        return None
    inputs = inputs_of(recipe, stage)
    total = 0
    for table in stage.units:
        try:
            manifest = adopted.get(inputs[table]) or read_manifest(recipe.output, inputs[table])
        except BrokenTable:
            return None
        if manifest is None:
            return None
        total += manifest.rows(table)
    return total


def _after_others(recipe: Recipe, stage: Stage) -> Planned:
    """Plans a stage whose inputs may change: what stands of it is kept only if they turn out as they were."""
    units = units_of(recipe, stage)
    if files.exists(manifest_path(recipe.output, stage.name)):
        return Planned(stage, "depends", "after the stages before it", units)
    return Planned(stage, "run", "not run yet", units)


def _planned(recipe: Recipe, stage: Stage, adopt_from: str | None, adopted: Mapping[str, Manifest]) -> Planned:
    try:
        now = pending(recipe, stage, "", adopted)
    except BrokenTable as error:
        return Planned(stage, "run", str(error))
    manifest, cause = finished(recipe, stage, now)
    if manifest is None and adopt_from is not None:
        earlier = adoptable(adopt_from, stage.name, now.fingerprint)
        if earlier is not None:
            return Planned(stage, "adopt", f"from {adopt_from}", earlier.books.units.count, earlier)
    units = units_of(recipe, stage, adopted)
    return Planned(stage, "finished" if manifest else "run", cause, units, manifest)
