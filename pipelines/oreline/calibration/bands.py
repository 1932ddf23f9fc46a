"""Bands: how scores of positives and candidates are distributed, and how many candidates of each band are relevant."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oreline.calibration.worlds import Stored
from oreline.ids import Json

EDGES = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Shares of the lowest positive's score; a last band lies above."""

BINS = 40


@dataclass(frozen=True)
class Band:
    """The candidates that score from `least` to below `below` of the positive's score; None leaves a side open.

    `known` is the number of those of which a judge or labels say something, `relevant` and `partly` their shares.
    """

    least: float | None
    below: float | None
    candidates: int
    known: int
    relevant: float | None
    partly: float | None

    @property
    def told(self) -> str:
        """The band as a person reads it."""
        if self.least is None:
            return f"below {100 * (self.below or 0):g} %"
        if self.below is None:
            return f"{100 * self.least:g} % and more"
        return f"{100 * self.least:g}-{100 * self.below:g} %"

    def to_json(self) -> dict[str, Json]:
        """Returns the numbers under their names."""
        return {"band": self.told, **vars(self)}


@dataclass(frozen=True)
class Histogram:
    """Numbers of scores per bin: `edges` (bins + 1), and for each name the numbers (bins)."""

    edges: tuple[float, ...]
    numbers: dict[str, tuple[int, ...]]

    def to_json(self) -> dict[str, Json]:
        """Returns edges and numbers."""
        return {"edges": list(self.edges), **{name: list(each) for name, each in self.numbers.items()}}


def bands_of(stored: Stored) -> list[Band]:
    """Returns the bands of all candidates that are no siblings, of queries whose labelled positives score above 0."""
    pools = stored.pools
    lowest = stored.world.labelled[pools.owner]
    kept = ~stored.sibling & (lowest > 0)
    number = np.searchsorted(EDGES, pools.score[kept] / lowest[kept], side="right")
    verdict = stored.verdict[kept]
    found = []
    for band in range(len(EDGES) + 1):
        own = verdict[number == band]
        known = int((own >= 0).sum())
        found.append(
            Band(
                EDGES[band - 1] if band else None,
                EDGES[band] if band < len(EDGES) else None,
                len(own),
                known,
                float((own == 2).sum() / known) if known else None,
                float((own == 1).sum() / known) if known else None,
            )
        )
    return [band for band in found if band.candidates]


def histogram_of(stored: Stored) -> Histogram:
    """Returns the distribution of scores: of positives, of each query's best candidate, and of all candidates."""
    pools = stored.pools
    open_ = ~stored.sibling
    owner, score = pools.owner[open_], pools.score[open_]
    first = np.append(True, np.diff(owner) > 0) if len(owner) else np.zeros(0, np.bool_)
    every = {"positives": pools.positive_score, "best candidates": score[first], "candidates": score}
    scores = [each for each in every.values() if len(each)]
    low, high = (min(map(np.min, scores)), max(map(np.max, scores))) if scores else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    numbers = {name: _counted(each, edges) for name, each in every.items()}
    return Histogram(tuple(float(edge) for edge in edges), numbers)


def _counted(scores: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(number) for number in np.histogram(scores, edges)[0])
