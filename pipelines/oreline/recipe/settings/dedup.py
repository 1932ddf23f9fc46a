"""Near-duplicates."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from oreline.recipe.settings.base import OPERATIONAL, Count, Settings, Share
from oreline.recipe.settings.presets import PRESETS, PresetName


class Dedup(Settings):
    """Near-duplicate documents, by MinHash over n-grams."""

    enabled: bool = True
    """Whether the stage runs."""
    preset: PresetName | None = None
    """Settings of a published deduplication: sets ngram, bands, rows and verify where the recipe does not."""
    threshold: Share = 0.8
    """Jaccard similarity from which documents are near-duplicates."""
    unit: Literal["word", "character"] = "word"
    """What n-grams are made of."""
    ngram: Count = 5
    """Units per shingle."""
    bands: Count | None = 14
    """Bands of the signature; null, with rows: chosen from threshold and permutations by datasketch's optimiser."""
    rows: Count | None = 8
    """Rows of a band."""
    permutations: Count | None = None
    """Values of the signature; default: bands x rows."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Seed of the permutations."""
    within: Literal["dataset", "corpus"] = "dataset"
    """Where duplicates are looked for: within each dataset, or in all of them together."""
    verify: Literal["jaccard", "edit", "none"] = "jaccard"
    """What candidates must reach the threshold in: exact Jaccard, edit similarity too, or nothing at all."""
    keep: Literal["smallest_id", "longest", "highest_score"] = "smallest_id"
    """Which document of a cluster stays; ties go to the smallest id, and searchable documents come first."""
    score: str | None = None
    """For keep: highest_score: the field of the document's metadata that holds a number; without one it comes last."""
    against: list[str] = Field(default=[], json_schema_extra=OPERATIONAL)
    """Finished outputs whose documents are known: duplicates of them go; other dataset names need within: corpus."""
    remember: Literal["signatures", "shingles", "nothing"] = "signatures"
    """What is kept of each document for a later `against`; with shingles, similarities to it are exact then."""
    components: Literal["one_machine", "distributed"] = Field(default="one_machine", json_schema_extra=OPERATIONAL)
    """How clusters are made of edges: one machine for up to some 50 million edges; the clusters are the same."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: object) -> object:
        """Fills in what the preset sets and the recipe does not."""
        preset = given.get("preset") if isinstance(given, dict) else None
        if not isinstance(given, dict) or not isinstance(preset, str) or preset not in PRESETS:
            return given
        return {**PRESETS[preset], **given}
