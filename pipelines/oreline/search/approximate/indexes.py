"""The indexes of a scope, as a search opens them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from oreline import files
from oreline.search.approximate.group import GroupReference
from oreline.search.approximate.index import Index, Library
from oreline.search.approximate.search import ApproximateSearch, ExactSearch, Group
from oreline.search.scores import Float16
from oreline.search.shards import Found, Shard, Targets, Wanted


class Shards(Protocol):
    """The shards that are searched, the same at each call."""

    def __call__(self, paths: Sequence[str] | None = None) -> Iterable[Shard]:
        """Returns all of them, or those of the files named, in that order."""
        ...


@dataclass(frozen=True)
class Indexes:
    """All indexes of one scope by miner, and how much each looks at."""

    library: Library
    groups: Mapping[str, Sequence[GroupReference]]
    efforts: Mapping[str, int]

    def search(  # noqa: PLR0917 - what a search is asked
        self,
        miner: str,
        queries: Float16,
        shards: Shards,
        wanted: Sequence[Wanted],
        targets: Targets,
        exact: ExactSearch,
    ) -> Found:
        """Returns lists and counts of a block of queries, as `ApproximateSearch` does."""
        groups = [self._group(each, shards) for each in self.groups.get(miner, ())]
        return ApproximateSearch(queries, groups, wanted, targets, self.efforts[miner], exact).run()

    def _group(self, reference: GroupReference, shards: Shards) -> Group:
        def there() -> Iterable[Shard]:
            return shards(reference.paths)

        if reference.index is None:
            return Group(reference.rows, there)
        path = reference.index

        def opened() -> Index:
            with files.open_read(path) as file:
                return self.library.read(file, reference.vectors())

        return Group(reference.rows, there, opened, self.library.most_fetched)
