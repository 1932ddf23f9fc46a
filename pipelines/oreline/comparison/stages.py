"""Stages of two outputs: which are the same, which differ, and in which keys, inputs or versions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from oreline.ids import Json
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import Manifest

State = Literal["adopted", "same", "differs", "only_old", "only_new", "neither"]


@dataclass(frozen=True)
class Difference:
    """One value that differs: where, and what stands in each output (None: nothing)."""

    key: str
    old: Json
    new: Json

    def to_json(self) -> dict[str, Json]:
        """Returns the difference under its names."""
        return {"key": self.key, "old": self.old, "new": self.new}


@dataclass(frozen=True)
class StagePair:
    """A stage of both outputs.

    `adopted`: NEW has taken OLD's over; `same`: its ingredients are equal. `own` are differences of its keys, encoder,
    prompts, sources or version; `inputs` names the tables that came in with another content.
    """

    stage: str
    state: State
    own: tuple[Difference, ...] = ()
    inputs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Returns the stage under its names."""
        return {
            "stage": self.stage,
            "state": self.state,
            "differences": [each.to_json() for each in self.own],
            "inputs": list(self.inputs),
        }


def stage_pairs(old: Mapping[str, Manifest], new: Mapping[str, Manifest]) -> list[StagePair]:
    """Returns all stages that one of two outputs has finished, in order."""
    pairs = [_pair(stage.name, old.get(stage.name), new.get(stage.name)) for stage in STAGES]
    return [pair for pair in pairs if pair.state != "neither"]


def _pair(name: str, old: Manifest | None, new: Manifest | None) -> StagePair:
    if old is None or new is None:
        state: State = "neither" if old is new else "only_new" if old is None else "only_old"
        return StagePair(name, state)
    if old.fingerprint == new.fingerprint:
        # Adopting copies the manifest, with the time at which the stage ran.
        return StagePair(name, "adopted" if old.written == new.written else "same")
    found = tuple(differences(old.ingredients, new.ingredients))
    inputs = tuple(each.key.partition(".")[2] for each in found if each.key.startswith("inputs."))
    own = tuple(_named(each) for each in found if not each.key.startswith("inputs."))
    return StagePair(name, "differs", own, inputs)


def _named(difference: Difference) -> Difference:
    key = difference.key.removeprefix("keys.")
    return Difference(key, difference.old, difference.new)


def differences(old: Json, new: Json, key: str = "") -> Iterator[Difference]:
    """Yields the values in which two JSON values differ, by dotted key; lists are compared as wholes."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield Difference(key, old, new)
