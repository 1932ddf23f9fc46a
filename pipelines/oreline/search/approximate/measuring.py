"""Measures recall before anything is mined: a sample of queries is mined by exact search and by the indexes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oreline.recipe.settings import ApproximateIndex, Mine
from oreline.recipe.settings.mine import DENSE
from oreline.search.approximate.group import GroupReference
from oreline.search.approximate.index import Library
from oreline.search.approximate.indexes import Indexes, Shards
from oreline.search.approximate.recall import Agreement, Measured, agreement
from oreline.search.corpus import Corpus
from oreline.search.dense import Searching
from oreline.search.mining import mine
from oreline.search.questions import Questions
from oreline.search.scores import Float16
from oreline.search.shards import NO_TARGETS, Found, Targets, Wanted


@dataclass(frozen=True)
class Sampled:
    """The sampled queries of one scope, the corpus that they are searched in, and its indexes by miner."""

    questions: Questions
    corpus: Corpus
    groups: Mapping[str, Sequence[GroupReference]]
    expected: dict[str, Found] = field(default_factory=dict)
    """What exact search found, by miner, as far as it was needed yet."""


@dataclass(frozen=True)
class _Comparing(Searching):
    """Searches exactly, and by the indexes of some miners too; keeps what they have in common."""

    expected: dict[str, Found] = field(default_factory=dict)
    agreed: dict[str, Agreement] = field(default_factory=dict)

    def search(
        self, miner: str, queries: Float16, shards: Shards, wanted: Sequence[Wanted], targets: Targets = NO_TARGETS
    ) -> Found:
        """Returns what the exact search finds."""
        if miner not in self.expected:
            self.expected[miner] = self.exact(queries, shards, wanted, targets)
        if self.indexes is not None and miner in self.indexes.efforts:
            found = self.indexes.search(miner, queries, shards, wanted, targets, self.exact)
            self.agreed[miner] = agreement(self.expected[miner], found)
        return self.expected[miner]


def measured(
    scopes: Sequence[Sampled], settings: Mine, index: ApproximateIndex, library: Library, device: str
) -> dict[str, Measured]:
    """Returns each dense miner's recall at its smallest effort that reaches `least_recall`, else at the largest."""
    # An encoder that no miner names has no vectors.
    further = [name for name in settings.miners if name in settings.encoders]
    miners = [DENSE, *further]
    dense = settings.model_copy(update={"miners": [each for each in settings.miners if each in miners] or [DENSE]})
    found: dict[str, Measured] = {}
    for effort in library.efforts:
        low = [name for name in miners if name not in found or min(found[name].recalls) < index.least_recall]
        if not low:
            break
        total = dict.fromkeys(low, Agreement((), (), 0, 0))
        for scope in scopes:
            indexes = Indexes(library, scope.groups, dict.fromkeys(low, effort))
            comparing = _Comparing(device, indexes=indexes, expected=scope.expected)
            mine(scope.questions, scope.corpus, dense, comparing)
            total = {name: total[name] + comparing.agreed[name] for name in low}
        found.update({name: _measured(name, total[name], effort, scopes) for name in low})
    return found


def _measured(miner: str, agreed: Agreement, effort: int, scopes: Sequence[Sampled]) -> Measured:
    groups = [group for scope in scopes for group in scope.groups.get(miner, ())]
    indexed = sum(group.rows for group in groups if group.index is not None)
    queries = sum(
        len(scope.questions.query_ids if miner == DENSE else scope.questions.further[miner].rows) for scope in scopes
    )
    return Measured(agreed, effort, queries, indexed, sum(group.rows for group in groups) - indexed)
