"""A number that is known only within bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Range:
    """A number, 0 or more, between `low` and `high`, and what it is expected to be."""

    low: float
    expected: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Self:
        """Returns a number that is known."""
        return cls(value, value, value)

    @classmethod
    def about(cls, value: float, margin: float) -> Self:
        """Returns a number known up to `margin`, never below 0."""
        return cls(max(0.0, value - margin), value, value + margin)

    @property
    def exact(self) -> bool:
        """Says whether the number is known."""
        return self.low == self.high

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def __mul__(self, other: "Range | float") -> "Range":
        by = other if isinstance(other, Range) else Range.exactly(other)
        return Range(self.low * by.low, self.expected * by.expected, self.high * by.high)

    def at_most(self, most: "Range | float") -> "Range":
        """Returns the number where it cannot be more than another one."""
        limit = most if isinstance(most, Range) else Range.exactly(most)
        return Range(min(self.low, limit.low), min(self.expected, limit.expected), min(self.high, limit.high))

    def rounded(self) -> "Range":
        """Returns whole numbers, the bounds rounded outwards."""
        return Range(float(int(self.low)), float(round(self.expected)), float(-int(-self.high // 1)))


ZERO = Range.exactly(0.0)
"""Nothing, for sums."""


def total(ranges: Sequence[Range]) -> Range:
    """Returns the sum of numbers that may all be low, or all high, together."""
    return sum(ranges, ZERO)


def either(ranges: Sequence[Range]) -> Range:
    """Returns a number that may lie in any of some ranges, expected in their middle."""
    return Range(
        min(each.low for each in ranges),
        sum(each.expected for each in ranges) / len(ranges),
        max(each.high for each in ranges),
    )
