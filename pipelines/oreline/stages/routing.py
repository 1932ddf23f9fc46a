"""Routing: steps over what comes under a key, and outputs of several kinds told apart by their keys."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from oreline.minhash.steps import Route, along
from oreline.shuffle import Reference

Keyed = tuple[int, Iterable[bytes]]
"""A key, and all references under it."""


@dataclass(frozen=True)
class Along:
    """Keeps the references of one route, under their plain keys."""

    route: Route

    def __call__(self, reference: Reference) -> Iterator[Reference]:
        """Yields the reference if it goes that way."""
        yield from along(self.route, reference)


@dataclass(frozen=True)
class Step:
    """One step over all that comes under a key."""

    work: Callable[[int, Iterable[bytes]], Iterator[Reference]]

    def __call__(self, keyed: Keyed) -> Iterator[Reference]:
        """Yields references."""
        yield from self.work(*keyed)


def without_key(reference: Reference) -> bytes:
    """Returns a reference alone."""
    return reference[1]
