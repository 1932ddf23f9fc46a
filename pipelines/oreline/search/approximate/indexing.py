"""What those that mine know of a recipe's approximate index: where it is, how much it looks at, what went wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

from oreline.encoders.devices import first_device
from oreline.job import Report, StageWriter
from oreline.recipe.settings import Recipe
from oreline.search.approximate.group import GroupReference, by_miner
from oreline.search.approximate.index import Library
from oreline.search.approximate.indexes import Indexes
from oreline.search.approximate.libraries import library_of
from oreline.search.approximate.outcome import FACT, Outcome


@dataclass(frozen=True)
class Indexing:
    """The indexes of all scopes; without a library, search is exact."""

    library: Library | None
    groups: tuple[GroupReference, ...] = ()
    outcome: Outcome | None = None

    @classmethod
    def of(cls, recipe: Recipe, groups: Iterable[bytes], outcomes: Iterable[bytes]) -> "Indexing":
        """Reads what `GroupReference` and `Outcome` wrote."""
        if recipe.mine.index == "exact":
            return cls(None)
        library = library_of(recipe.mine.index, first_device(recipe.encoder))
        outcome = next(map(Outcome.decode, outcomes), None)
        return cls(library, tuple(map(GroupReference.decode, groups)), outcome)

    @property
    def failure(self) -> Report | None:
        """The report of those that cannot mine, because recall is too low or was not measured."""
        if self.library is None:
            return None
        if self.outcome is None:
            # Only Ctrl-C ends measuring without an outcome.
            return Report(stopped="interrupted", message="interrupted; mine starts again next time")
        if self.outcome.failure is not None:
            return Report(failure=self.outcome.failure[0], message=self.outcome.failure[1])
        return None

    def tell(self, writer: StageWriter) -> None:
        """States the index and its recall."""
        if self.outcome is not None:
            writer.fact(FACT, self.outcome.fact)

    def within(self, scope: str) -> Indexes | None:
        """Returns the indexes of a scope, None where search is exact."""
        if self.library is None or self.outcome is None:
            return None
        return Indexes(self.library, by_miner(self.groups, scope), self.outcome.efforts)
