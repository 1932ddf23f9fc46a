"""Drawing by seed: everything that a writer leaves to chance is sha256 of a seed and names, the same on every run."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from oreline.ids import seeded_fraction

T = TypeVar("T")


def draw_one(values: Sequence[T], seed: int, *names: str) -> T:
    """Returns one of the values, each as likely; raises IndexError if there is none."""
    return values[int(seeded_fraction(seed, *names) * len(values))]


def draw_weighted(weights: Mapping[str, float], seed: int, *names: str) -> str:
    """Returns a name in proportion to its weight; raises ValueError if no weight is above 0."""
    possible = [(name, weight) for name, weight in weights.items() if weight > 0.0]
    if not possible:
        raise ValueError("there is nothing to draw from: no weight is above 0")
    mark = seeded_fraction(seed, *names) * math.fsum(weight for _, weight in possible)
    for name, weight in possible:
        mark -= weight
        if mark < 0.0:
            return name
    return possible[-1][0]


def shuffled(values: Sequence[T], seed: int, *names: str) -> list[T]:
    """Returns the values in an order drawn by their places."""
    order = sorted(range(len(values)), key=lambda place: seeded_fraction(seed, *names, str(place)))
    return [values[place] for place in order]


def tail_of(values: Sequence[T], share: float) -> Sequence[T]:
    """Returns the last part of a list, at least one entry of a list that has any."""
    return values[-max(1, math.ceil(share * len(values))) :]


def apportioned(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Returns whole numbers that add up to `total` in proportion to weights, by largest remainders.

    Those with weight 0 get none; raises ValueError if no weight is above 0.
    """
    whole = math.fsum(weights.values())
    if whole <= 0.0:
        raise ValueError("no weight is above 0")
    exact = {name: total * weight / whole for name, weight in weights.items()}
    given = {name: math.floor(share) for name, share in exact.items()}
    by_rest = sorted(exact, key=lambda name: (given[name] - exact[name], name))
    for name in by_rest[: total - sum(given.values())]:
        given[name] += 1
    return given
