"""Which shards share an index, and where it is."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from oreline.recipe.settings import ApproximateIndex
from oreline.recipe.settings.mine import DENSE
from oreline.search.approximate.index import Vectors
from oreline.search.corpus import column_of
from oreline.search.further import read_further
from oreline.search.scores import Float16


@dataclass(frozen=True)
class GroupReference:
    """Shards of a scope whose documents stand in one index of a miner's vectors, in the order of `paths`.

    `indexed` says that they are to have an index; without one they are searched exactly. `failure` says why it could
    not be made.
    """

    scope: str
    miner: str
    paths: tuple[str, ...]
    rows: int
    indexed: bool
    index: str | None = None
    failure: str | None = None

    def encode(self) -> bytes:
        """Returns the reference as it crosses an edge."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "GroupReference":
        """Reads what `encode` wrote."""
        body = json.loads(encoded)
        return cls(**{**body, "paths": tuple(body["paths"])})

    def vectors(self) -> Vectors:
        """Returns the vectors of the group, a block per shard."""

        def blocks() -> Iterator[Float16]:
            return (vectors_in(path, self.miner) for path in self.paths)

        return Vectors(self.rows, vectors_in(self.paths[0], self.miner).shape[1], blocks)


def groups_of(scope: str, miner: str, shards: Sequence[str], settings: ApproximateIndex) -> Iterator[GroupReference]:
    """Yields the groups of a scope's shards: as few of about equal size as hold `settings.rows` documents at most.

    A group has at least one shard. They are sorted by their first document, so that the groups are the same in every
    run. Fewer documents than `settings.exact_below` make one group, which is to have no index.
    """
    named = sorted((str(column_of(path, "doc_id")[0]), path) for path in shards)
    counted = [(path, rows) for _, path in named if (rows := rows_in(path, miner))]
    total = sum(rows for _, rows in counted)
    indexed = total >= settings.exact_below
    number = -(-total // settings.rows) if indexed else 1
    start = 0
    parts: dict[int, list[tuple[str, int]]] = {}
    for path, rows in counted:
        parts.setdefault(start * number // total, []).append((path, rows))
        start += rows
    for part in parts.values():
        paths, sizes = zip(*part, strict=True)
        yield GroupReference(scope, miner, paths, sum(sizes), indexed)


def rows_in(path: str, miner: str) -> int:
    """Returns how many documents of a shard a miner has vectors of."""
    return len(column_of(path, "doc_id")) if miner == DENSE else len(read_further(path, miner).rows)


def vectors_in(path: str, miner: str) -> Float16:
    """Returns the vectors that a miner has of a shard's documents (float16, n x d)."""
    if miner != DENSE:
        return read_further(path, miner).vectors
    column = column_of(path, "vector")
    width = column.type.byte_width
    values = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width : (column.offset + len(column)) * width]
    # A copy, as torch takes no memory that it may not write.
    return values.copy().view("<f2").reshape(-1, width // 2)


def by_miner(groups: Iterable[GroupReference], scope: str) -> Mapping[str, Sequence[GroupReference]]:
    """Returns the groups of one scope by miner, those with the smaller first file first."""
    found: defaultdict[str, list[GroupReference]] = defaultdict(list)
    for group in sorted(groups, key=lambda each: each.paths):
        if group.scope == scope:
            found[group.miner].append(group)
    return found
