"""Calibration: the yields of many rules over the stored candidates of an output, and which rule to take."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oreline.calibration.bands import Band, Histogram, bands_of, histogram_of
from oreline.calibration.pools import Tables
from oreline.calibration.suggestion import Suggestion, suggest
from oreline.calibration.worlds import Source, Stored, read_stored
from oreline.calibration.yields import Rule, Yield, yield_of
from oreline.ids import Json
from oreline.recipe.settings import Ceiling, MarginCeiling, PercentCeiling, Recipe, ScoreCeiling

PERCENTS = tuple(round(0.80 + 0.01 * step, 2) for step in range(21))
MARGINS = tuple(round(0.01 * step, 2) for step in range(31))
SCORES = 25
"""Absolute scores of a curve, evenly between the lowest and highest score."""


@dataclass(frozen=True)
class Calibration:
    """What an output's candidates say.

    `rules` are those of the literature beside the recipe's own, which is first; `curves` hold the yields along each
    kind of ceiling. `queries` is the number that mine knows; `without_row` of them get no row for other reasons.
    `source` says where relevance comes from; `shortages` counts the short rows of select by cause.
    """

    output: str
    queries: int
    without_row: int
    candidates: int
    negatives: int
    source: Source | None
    rules: tuple[Yield, ...]
    curves: dict[str, tuple[Yield, ...]]
    bands: tuple[Band, ...]
    histogram: Histogram
    shortages: dict[str, int]
    suggestion: Suggestion
    seconds: float

    def to_json(self) -> dict[str, Json]:
        """Returns everything under its name."""
        return {
            **{name: getattr(self, name) for name in ("output", "queries", "without_row", "candidates", "negatives")},
            "source": self.source,
            "rules": [each.to_json() for each in self.rules],
            "curves": {name: [each.to_json() for each in curve] for name, curve in self.curves.items()},
            "bands": [each.to_json() for each in self.bands],
            "histogram": self.histogram.to_json(),
            "shortages": dict(self.shortages),
            "suggestion": self.suggestion.to_json(),
            "seconds": round(self.seconds, 2),
        }


def calibrate(tables: Tables, recipe: Recipe, counts: Mapping[str, int], labels: str | None = None) -> Calibration:
    """Tries rules on stored candidates; `counts` are those of select's manifest, `labels` a qrels file.

    Raises CallError if there are no candidates or the labels cannot be read.
    """
    begun = time.monotonic()
    stored = read_stored(tables, recipe, labels)
    world, select = stored.world, recipe.select
    window = (select.window[0], select.window[1])
    if select.pick == "hardest":
        window = (window[0], min(window[1], window[0] + select.negatives - 1))
    curves = {
        name: tuple(yield_of(world, Rule(each, window)) for each in ceilings)
        for name, ceilings in _curves(stored).items()
    }
    rules = tuple(yield_of(world, rule) for rule in _rules(recipe, window))
    return Calibration(
        tables.output,
        stored.queries,
        stored.without_row,
        len(stored.pools.score),
        select.negatives,
        stored.source,
        rules,
        curves,
        tuple(bands_of(stored)),
        histogram_of(stored),
        {
            name.removeprefix("short_"): number
            for name, number in counts.items()
            if name.startswith("short_") and number
        },
        suggest(rules[0], yield_of(world, Rule("none", window)), curves, stored.source),
        time.monotonic() - begun,
    )


def _curves(stored: Stored) -> dict[str, list[Ceiling]]:
    scores = stored.pools.score
    low, high = (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 1.0)
    absolute = sorted({round(float(each), 2) for each in np.linspace(low, high, SCORES)})
    return {
        "percent": [PercentCeiling(percent_of_positive=each) for each in PERCENTS],
        "margin": [MarginCeiling(margin=each) for each in MARGINS],
        "score": [ScoreCeiling(score=each) for each in absolute if -1 <= each <= 1],
    }


def _rules(recipe: Recipe, window: tuple[int, int]) -> list[Rule]:
    """Returns the recipe's rule, and those of NV-Retriever (arXiv:2407.15831), table 2, with as many negatives."""
    number = recipe.select.negatives
    known: list[tuple[Ceiling, tuple[int, int], str]] = [
        ("none", (1, number), "hardest, no ceiling"),
        ("none", (11, 10 + number), "shifted by 10 ranks"),
        (ScoreCeiling(score=0.7), window, ""),
        (MarginCeiling(margin=0.05), window, ""),
        (PercentCeiling(percent_of_positive=0.95), window, ""),
    ]
    own = Rule(recipe.select.ceiling, window, "this recipe: " + Rule(recipe.select.ceiling, window).told)
    others = [Rule(*each) for each in known]
    return [own, *(each for each in others if (each.ceiling, each.window) != (own.ceiling, own.window))]
