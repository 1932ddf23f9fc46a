"""Files for a trainer."""

from typing import Literal

from pydantic import Field

from oreline.recipe.settings.base import Settings


class Export(Settings):
    """Files for a trainer."""

    formats: list[Literal["sentence-transformers", "jsonl"]] = Field(default=["sentence-transformers"], min_length=1)
    """What is written; at least one."""
    positives: Literal["expand", "first"] = "expand"
    """One row per positive, or only the first."""
    short_rows: Literal["group", "drop"] = "group"
    """Rows with fewer negatives: a file per width, or none."""
    prefixes: bool = False
    """Whether texts carry the encoder's prefixes; leave it off for trainers that add them."""
    class_rows: Literal["plain", "unique_suffix", "mask"] = "plain"
    """Rows whose query has a class: as they are; with one id of the row's own after each of its texts (Gecko); or with
    a number of the class, in a column `label` (sentence-transformers) or a key `mask` (jsonl), for a loss that leaves
    rows of one number out of each other's negatives."""
