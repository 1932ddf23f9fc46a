"""The rows of an export in the layout of sentence-transformers, and the control: the same rows, positives moved."""

import dataclasses
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from training.heldout import fraction


@dataclass(frozen=True)
class Row:
    """A training row."""

    anchor: str
    positive: str
    negatives: tuple[str, ...]


def exported_rows(output: Path) -> list[Row]:
    """Reads `train/sentence-transformers` of a finished run, in an order that only the texts decide."""
    rows: list[Row] = []
    for path in sorted((output / "train" / "sentence-transformers").rglob("*.parquet")):
        rows += [Row(anchor, positive, tuple(rest)) for anchor, positive, *rest in pl.read_parquet(path).iter_rows()]
    return sorted(rows, key=lambda row: (fraction(row.anchor + row.positive), row))


def positives_of(rows: Sequence[Row]) -> dict[str, set[str]]:
    """Returns all positives that the rows give each anchor."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row.anchor].add(row.positive)
    return found


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """Returns the rows with positives permuted so that none gets a positive of its own anchor; negatives stay.

    A row that drew one of its own trades with a random other row until both are served. Raises ValueError if no such
    permutation is found (say all rows have one anchor).
    """
    draw = random.Random(seed)
    own = positives_of(rows)
    moved = [row.positive for row in rows]
    draw.shuffle(moved)
    for _ in range(100):
        wrong = [place for place, row in enumerate(rows) if moved[place] in own[row.anchor]]
        if not wrong:
            return [dataclasses.replace(row, positive=text) for row, text in zip(rows, moved, strict=True)]
        for place in wrong:
            other = draw.randrange(len(rows))
            fits = moved[other] not in own[rows[place].anchor] and moved[place] not in own[rows[other].anchor]
            if fits:
                moved[place], moved[other] = moved[other], moved[place]
    raise ValueError(f"{len(rows)} rows: no permutation found that gives each anchor a foreign positive")


def without_negatives(rows: Sequence[Row]) -> list[Row]:
    """Returns the same (anchor, positive) pairs without the mined negatives."""
    return [dataclasses.replace(row, negatives=()) for row in rows]
