"""Yields: how many rows a rule fills, how hard its negatives are, and how many of them are known to be relevant."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oreline.calibration.lanes import Lane
from oreline.calibration.pools import Float64, Int64
from oreline.ids import Json
from oreline.recipe.settings import Ceiling, MarginCeiling, PercentCeiling, ScoreCeiling


@dataclass(frozen=True)
class Rule:
    """A ceiling with the eligible ranks that are picked from."""

    ceiling: Ceiling
    window: tuple[int, int]
    name: str = ""

    @property
    def told(self) -> str:
        """The rule as a person reads it."""
        return self.name or ceiling_told(self.ceiling)


@dataclass(frozen=True)
class Yield:
    """What a rule makes of Q queries.

    `full` and `some` count queries that get all their negatives, and at least one; `negatives` is the mean number of
    a row. `score` is the mean score of the documents picked from, `of_positive` the mean share of the positive's
    score, `gap` the mean distance to it. Of those that a judge or labels know, `known` in all, the share `relevant`
    and `partly` is: what the rule would take if the judge ruled nothing out.
    """

    rule: Rule
    queries: int
    full: int
    some: int
    negatives: float
    score: float | None
    of_positive: float | None
    gap: float | None
    known: int
    relevant: float | None
    partly: float | None

    @property
    def full_share(self) -> float:
        """The share of queries that get all their negatives, 0 to 1."""
        return self.full / self.queries if self.queries else 0.0

    def to_json(self) -> dict[str, Json]:
        """Returns the numbers under their names."""
        ceiling = self.rule.ceiling
        return {
            "rule": self.rule.told,
            "ceiling": ceiling if isinstance(ceiling, str) else ceiling.model_dump(mode="json"),
            "window": list(self.rule.window),
            **{name: value for name, value in vars(self).items() if name != "rule"},
        }


@dataclass(frozen=True)
class World:
    """What rules are applied to: `eligible` as the recipe's other rules leave it, `unjudged` without the judge's.

    `lowest` (Q) is the lowest score among each query's positives, `labelled` (Q) the same before relabelling, to which
    unjudged candidates are held. `needed` (Q) are the negatives that a query lacks.
    """

    eligible: Lane
    unjudged: Lane
    lowest: Float64
    labelled: Float64
    needed: Int64
    negatives: int


def yield_of(world: World, rule: Rule) -> Yield:
    """Returns the yield of a rule."""
    ceiling = ceilings(rule.ceiling, world.lowest)
    start, end = _window(world.eligible, ceiling, rule.window)
    found = np.minimum(end - start, world.needed)
    given = world.negatives - world.needed
    picked = int((end - start).sum())
    relative = world.eligible.sums[end] - world.eligible.sums[start]
    wide, ratio = end - start, np.divide(1.0, world.lowest, where=world.lowest > 0, out=np.zeros_like(world.lowest))
    positive = int(wide[world.lowest > 0].sum())
    judged_start, judged_end = start, end
    if world.unjudged is not world.eligible:
        judged_start, judged_end = _window(world.unjudged, ceilings(rule.ceiling, world.labelled), rule.window)
    known, relevant, partly = (
        int((counts[judged_end] - counts[judged_start]).sum())
        for counts in (world.unjudged.known, world.unjudged.relevant, world.unjudged.partly)
    )
    return Yield(
        rule,
        len(world.lowest),
        int((found == world.needed).sum()),
        int((found + given > 0).sum()),
        float((found + given).mean()) if len(found) else 0.0,
        float(relative.sum() / picked) if picked else None,
        float((relative * ratio).sum() / positive) if positive else None,
        float((wide * world.lowest - relative).sum() / picked) if picked else None,
        known,
        relevant / known if known else None,
        partly / known if known else None,
    )


def ceilings(settings: Ceiling, lowest: Float64) -> Float64:
    """Returns the score that negatives must stay below, per query (Q); as `selection.ceilings` for one row."""
    match settings:
        case PercentCeiling(percent_of_positive=share):
            return lowest - (1.0 - share) * np.abs(lowest)
        case MarginCeiling(margin=margin):
            return lowest - margin
        case ScoreCeiling(score=score):
            return np.full_like(lowest, score)
    return np.full_like(lowest, math.inf)


def ceiling_told(settings: Ceiling) -> str:
    """Returns a ceiling as a person reads it."""
    match settings:
        case PercentCeiling(percent_of_positive=share):
            return f"{100 * share:g} % of the positive"
        case MarginCeiling(margin=margin):
            return f"margin {margin:g}"
        case ScoreCeiling(score=score):
            return f"score below {score:g}"
    return "no ceiling"


def _window(lane: Lane, ceiling: Float64, window: Sequence[int]) -> tuple[Int64, Int64]:
    first, last = window
    start, ends = lane.first_below(ceiling), lane.starts[1:]
    return np.minimum(start + first - 1, ends), np.minimum(start + last, ends)
