"""The parameters of MinHash LSH: chosen by hand, by a preset or from the threshold, and what they can find."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

from oreline.errors import RecipeError
from oreline.ids import Json
from oreline.minhash.forms import NORMALISATION
from oreline.minhash.grams import Shape
from oreline.minhash.permutations import SCHEME, Permutations
from oreline.recipe.settings import Dedup

LEAST_RECALL = 0.5
WARN_RECALL = 0.9
MOST_PERMUTATIONS = 16_384
CURVE = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Similarities at which the S-curve is told."""

_OPTIMAL_PERMUTATIONS = 128


@dataclass(frozen=True)
class Parameters:
    """Threshold, shingle shape and banding, checked.

    `threshold` is a Jaccard similarity in (0, 1]; a signature has `permutations` values, of which bands x rows are
    used.
    """

    threshold: float
    ngram: int
    bands: int
    rows: int
    unit: Literal["word", "character"] = "word"
    permutations: int = 0
    seed: int = 1
    verify: Literal["jaccard", "edit", "none"] = "jaccard"
    within: Literal["dataset", "corpus"] = "dataset"
    remember: Literal["signatures", "shingles", "nothing"] = "signatures"

    def __post_init__(self) -> None:
        if not self.permutations:
            object.__setattr__(self, "permutations", self.bands * self.rows)

    @classmethod
    def of(cls, settings: Dedup) -> Self:
        """Returns the parameters of a recipe; raises RecipeError with one line per problem."""
        found = problems(settings)
        if found:
            raise RecipeError("\n".join(found))
        bands, rows = banding(settings)
        return cls(
            threshold=settings.threshold,
            ngram=settings.ngram,
            bands=bands,
            rows=rows,
            unit=settings.unit,
            permutations=settings.permutations or (bands * rows if settings.bands else _OPTIMAL_PERMUTATIONS),
            seed=settings.seed,
            verify=settings.verify,
            within=settings.within,
            remember=settings.remember,
        )

    @property
    def shape(self) -> Shape:
        """What a shingle is."""
        return Shape(self.ngram, self.unit)

    @cached_property
    def drawn(self) -> Permutations:
        """The permutations themselves."""
        return Permutations.drawn(self.permutations, self.seed)

    def recall(self, similarity: float) -> float:
        """Returns the probability that two documents of that Jaccard similarity become candidates."""
        return recall(similarity, self.bands, self.rows)

    def signing(self) -> dict[str, Json]:
        """Returns what two signatures must share to be compared."""
        return {
            "scheme": SCHEME,
            "unit": self.unit,
            "ngram": self.ngram,
            "permutations": self.permutations,
            "seed": self.seed,
            "normalisation": NORMALISATION,
        }

    def facts(self) -> dict[str, Json]:
        """Returns what the manifest states: how signatures are made, the banding, and its S-curve."""
        banded: dict[str, Json] = {"threshold": self.threshold, "bands": self.bands, "rows": self.rows}
        curve: dict[str, Json] = {str(each): round(self.recall(each), 6) for each in CURVE}
        return {
            "signing": self.signing(),
            "banding": {**banded, "verify": self.verify, "within": self.within},
            "remember": self.remember,
            "s_curve": curve,
            "recall_at_threshold": round(self.recall(self.threshold), 6),
        }

    def told(self) -> Iterator[str]:
        """Yields the lines that a plan prints: banding, S-curve, normal forms, a warning if recall is low."""
        curve = ", ".join(f"{each:g}: {self.recall(each):.3g}" for each in CURVE)
        yield (
            f"dedup: {self.bands} bands x {self.rows} rows over {self.unit} {self.ngram}-grams, threshold "
            f"{self.threshold:g}, verified by {self.verify}; P(candidate) by similarity: {curve}"
        )
        yield f"dedup: normal forms: text: {NORMALISATION['text']}; code: {NORMALISATION['code']}"
        yield from self.warned()

    def warned(self) -> Iterator[str]:
        """Yields a warning, which a run prints too, if fewer than nine in ten pairs at the threshold are found."""
        reached = self.recall(self.threshold)
        if reached < WARN_RECALL:
            yield (
                f"dedup: warning: only {reached:.0%} of the pairs at dedup.threshold {self.threshold:g} become "
                f"candidates; {_advice(self.threshold)}"
            )


def banding(settings: Dedup) -> tuple[int, int]:
    """Returns bands and rows: those given, or those that datasketch's optimiser finds for threshold and permutations.

    The optimiser minimises the sum of the areas of false positives and false negatives under the S-curve (Zhu et al.,
    LSH Ensemble, 2016, section 5.3). Raises ValueError if it finds none.
    """
    if settings.bands is not None and settings.rows is not None:
        return settings.bands, settings.rows
    from datasketch import MinHashLSH

    permutations = settings.permutations or _OPTIMAL_PERMUTATIONS
    chosen = MinHashLSH(threshold=settings.threshold, num_perm=permutations)
    return int(chosen.b), int(chosen.r)


def recall(similarity: float, bands: int, rows: int) -> float:
    """Returns 1 - (1 - s^rows)^bands, the S-curve of banding (Leskovec, Rajaraman and Ullman, section 3.4.2)."""
    return 1.0 - (1.0 - similarity**rows) ** bands


def problems(settings: Dedup) -> list[str]:
    """Returns a sentence for each thing that is wrong with a recipe's `dedup` section, remedies included."""
    found = [*_unusable(settings), *_contradictions(settings)]
    if found:
        return found
    try:
        bands, rows = banding(settings)
    except ValueError as error:
        found.append(
            f"dedup: datasketch's optimiser finds no bands and rows for threshold {settings.threshold} and "
            f"{settings.permutations or _OPTIMAL_PERMUTATIONS} permutations ({error}); give bands and rows"
        )
        return found
    reached = recall(settings.threshold, bands, rows)
    if settings.bands is not None and reached < LEAST_RECALL:  # what was chosen from the threshold is warned about
        found.append(
            f"dedup.bands {bands} and dedup.rows {rows} find only {reached:.0%} of the pairs at "
            f"dedup.threshold {settings.threshold}; {_advice(settings.threshold)}"
        )
    return found


def _unusable(settings: Dedup) -> Iterator[str]:
    if settings.threshold == 0.0:
        yield (
            "dedup.threshold is 0, which makes any two documents duplicates; give a similarity above 0, such as 0.8, "
            "or dedup: {enabled: false}"
        )
    if (settings.bands is None) != (settings.rows is None):
        yield "dedup.bands and dedup.rows go together: give both, or set both to null to have them chosen"
    used = (settings.bands or 1) * (settings.rows or 1)
    if settings.permutations is not None and used > settings.permutations:
        yield (
            f"dedup.bands x dedup.rows is {used:,}, but dedup.permutations is {settings.permutations:,}; use fewer "
            f"bands or rows, or permutations: {used}"
        )
    if max(used, settings.permutations or 0) > MOST_PERMUTATIONS:
        yield (
            f"dedup asks for {max(used, settings.permutations or 0):,} values, but a signature has at most "
            f"{MOST_PERMUTATIONS:,} values; use fewer bands or rows"
        )


def _contradictions(settings: Dedup) -> Iterator[str]:
    if settings.keep == "highest_score" and settings.score is None:
        yield "dedup.keep is highest_score, but dedup.score is missing; name the metadata field that holds the score"
    if settings.score is not None and settings.keep != "highest_score":
        yield f"dedup.score is {settings.score!r}, but dedup.keep is {settings.keep}; set keep: highest_score"


def _advice(threshold: float) -> str:
    """Names a banding within 256 values that finds nine in ten pairs, with as many rows as that allows."""
    for rows in range(16, 0, -1):
        for bands in range(1, 256 // rows + 1):
            if recall(threshold, bands, rows) >= WARN_RECALL:
                return f"bands: {bands}, rows: {rows} find {recall(threshold, bands, rows):.0%}"
    return "more bands of fewer rows find more"
