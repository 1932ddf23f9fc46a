"""Comparing: two outputs, as far as both of them have come."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import cast

import polars as pl

from oreline import files
from oreline.comparison.causes import Causes, causes_of
from oreline.comparison.rows import Changes, Hardness, changes, hardness, rows_of, side_by_side
from oreline.comparison.stages import Difference, StagePair, differences, stage_pairs
from oreline.errors import CallError
from oreline.ids import Json
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class Drop:
    """How many units a stage dropped for one reason, in each output."""

    stage: str
    reason: str
    old: int
    new: int


@dataclass(frozen=True)
class Comparison:
    """What two outputs differ in; what concerns rows only where both have some, else `missing` says why.

    `joined` is the table of all queries of both, for examples.
    """

    old: str
    new: str
    recipe: tuple[Difference, ...]
    stages: tuple[StagePair, ...]
    drops: tuple[Drop, ...]
    missing: tuple[str, ...]
    changes: tuple[Changes, ...] = ()
    hardness: tuple[Hardness, Hardness] | None = None
    causes: Causes | None = None
    joined: pl.DataFrame | None = None

    def to_json(self) -> dict[str, Json]:
        """Returns everything but the rows under its name."""
        before, after = self.hardness or (None, None)
        return {
            "old": self.old,
            "new": self.new,
            "recipe": [each.to_json() for each in self.recipe],
            "stages": [each.to_json() for each in self.stages],
            "drops": [cast("dict[str, Json]", asdict(each)) for each in self.drops],
            "missing": list(self.missing),
            "changes": [each.to_json() for each in self.changes],
            "hardness": {"old": asdict(before), "new": asdict(after)} if before and after else None,
            "causes": self.causes.to_json() if self.causes else None,
        }


def compare(old: str, new: str) -> Comparison:
    """Compares two outputs.

    Raises CallError if one of them is no output, BrokenTable for a damaged manifest or part.
    """
    recipes = _recipe(old), _recipe(new)
    manifests = _manifests(old), _manifests(new)
    found = Comparison(
        old,
        new,
        tuple(_recipe_differences(*recipes)),
        tuple(stage_pairs(*manifests)),
        tuple(_drops(*manifests)),
        tuple(
            _missing(name, output, done)
            for name, output, done in zip(("OLD", "NEW"), (old, new), manifests, strict=True)
            if "select" not in done
        ),
    )
    if found.missing:
        return found
    rows = rows_of(old), rows_of(new)
    joined = side_by_side(*rows)
    return replace(
        found,
        changes=tuple(changes(joined)),
        hardness=(hardness(rows[0]), hardness(rows[1])),
        causes=causes_of(joined, found.stages, *recipes),
        joined=joined,
    )


def _recipe(output: str) -> Recipe:
    path = files.join(output, "recipe.yaml")
    if not files.exists(path):
        raise CallError(f"{output}: there is no recipe.yaml in it; name the output folder of a run")
    # An output may have been moved since.
    return load_recipe(path).recipe.model_copy(update={"output": output})


def _manifests(output: str) -> dict[str, Manifest]:
    found = {stage.name: read_manifest(output, stage.name) for stage in STAGES}
    return {name: manifest for name, manifest in found.items() if manifest is not None}


def _recipe_differences(old: Recipe, new: Recipe) -> list[Difference]:
    found = differences(old.model_dump(mode="json"), new.model_dump(mode="json"))
    return [each for each in found if each.key.partition(".")[0] not in ("output", "cache")]


def _drops(old: Mapping[str, Manifest], new: Mapping[str, Manifest]) -> list[Drop]:
    drops = []
    for stage in STAGES:
        before, after = (each[stage.name].drops if stage.name in each else {} for each in (old, new))
        reasons = sorted({*before, *after}, key=lambda each: (-max(before.get(each, 0), after.get(each, 0)), each))
        drops += [Drop(stage.name, reason, before.get(reason, 0), after.get(reason, 0)) for reason in reasons]
    return drops


def _missing(name: str, output: str, manifests: Mapping[str, Manifest]) -> str:
    done = ", ".join(manifests) or "nothing"
    return (
        f"{name} ({output}) has no rows, as select has not run; finished: {done}. Go on with: oreline run "
        f"{files.join(output, 'recipe.yaml')}"
    )
