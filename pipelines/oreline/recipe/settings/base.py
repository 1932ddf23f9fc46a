"""What all sections of a recipe share: strictness, ranges, and the mark of keys that change no row."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from oreline.ids import Json

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
OPERATIONAL: dict[str, Json] = {"operational": True}
"""Marks a key that cannot change what comes out: it enters no fingerprint."""


class Settings(BaseModel):
    """A section of the recipe: strict types, no unknown keys, no change after reading."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
