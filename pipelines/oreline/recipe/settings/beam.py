"""Where and on how many workers stages run."""

from typing import Literal

from pydantic import Field

from oreline.recipe.settings.base import OPERATIONAL, Count, Settings


class StageBeam(Settings):
    """Beam options of one stage."""

    workers: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Local worker processes of this stage."""
    options: list[str] = Field(default=[], json_schema_extra=OPERATIONAL)
    """Further Beam options, as on a command line."""


class Beam(Settings):
    """Where and on how many workers stages run."""

    runner: Literal["local", "dataflow"] = Field(default="local", json_schema_extra=OPERATIONAL)
    """`local` is this machine."""
    workers: Count = Field(default=1, json_schema_extra=OPERATIONAL)
    """Local worker processes."""
    options: list[str] = Field(default=[], json_schema_extra=OPERATIONAL)
    """Further Beam options of every stage, as on a command line."""
    stages: dict[str, StageBeam] = Field(default={}, json_schema_extra=OPERATIONAL)
    """Overrides by stage."""
