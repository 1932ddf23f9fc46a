"""The parameters of MinHash LSH, and whether they can find what the threshold asks for."""

from dataclasses import dataclass
from typing import Self

from oreline.errors import RecipeError
from oreline.recipe.settings import Dedup

LEAST_RECALL = 0.5
MOST_PERMUTATIONS = 4096


@dataclass(frozen=True)
class Parameters:
    """Threshold, shingle length and banding, checked.

    `threshold` is a Jaccard similarity in (0, 1]; `ngram` is in words; a signature has `bands` x `rows` values.
    """

    threshold: float
    ngram: int
    bands: int
    rows: int

    @classmethod
    def of(cls, settings: Dedup) -> Self:
        """Returns the parameters of a recipe; raises RecipeError with one line per problem."""
        found = problems(settings)
        if found:
            raise RecipeError("\n".join(found))
        return cls(settings.threshold, settings.ngram, settings.bands, settings.rows)

    @property
    def permutations(self) -> int:
        """Values of a signature."""
        return self.bands * self.rows

    def recall(self, similarity: float) -> float:
        """Returns the probability that two documents of that Jaccard similarity become candidates."""
        return recall(similarity, self.bands, self.rows)


def recall(similarity: float, bands: int, rows: int) -> float:
    """Returns 1 - (1 - s^rows)^bands, the S-curve of banding (Leskovec, Rajaraman and Ullman, section 3.4.2)."""
    return 1.0 - (1.0 - similarity**rows) ** bands


def problems(settings: Dedup) -> list[str]:
    """Returns a sentence for each thing that is wrong with a recipe's `dedup` section, remedies included."""
    found = []
    permutations = settings.bands * settings.rows
    if settings.threshold == 0.0:
        found.append(
            "dedup.threshold is 0, which makes any two documents duplicates; give a similarity above 0, such as 0.8, "
            "or dedup: {enabled: false}"
        )
    if permutations > MOST_PERMUTATIONS:
        found.append(
            f"dedup.bands x dedup.rows is {permutations:,}, but a signature has at most {MOST_PERMUTATIONS:,} values; "
            "use fewer bands or rows"
        )
    reached = recall(settings.threshold, settings.bands, settings.rows)
    if not found and reached < LEAST_RECALL:
        found.append(
            f"dedup.bands {settings.bands} and dedup.rows {settings.rows} find only {reached:.0%} of the pairs at "
            f"dedup.threshold {settings.threshold}; {_advice(settings.threshold)}"
        )
    return found


def _advice(threshold: float) -> str:
    """Names a banding within 256 values that finds nine in ten pairs, with as many rows as that allows."""
    for rows in range(16, 0, -1):
        for bands in range(1, 256 // rows + 1):
            if recall(threshold, bands, rows) >= 0.9:
                return f"bands: {bands}, rows: {rows} find {recall(threshold, bands, rows):.0%}"
    return "more bands of fewer rows find more"
