"""Dense miners: the search of the reference encoder's vectors, and those of further encoders' own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from oreline.search.approximate.indexes import Indexes, Shards
from oreline.search.corpus import MOST_PAIRS, Corpus, column_of, cuts
from oreline.search.exact import Search, UnfitVector
from oreline.search.further import Seen, further_shards
from oreline.search.passes import first_pass
from oreline.search.scores import Float16
from oreline.search.shards import NO_TARGETS, Found, Ranked, Shard, Targets, Tiles, Wanted
from oreline.search.tags import TagIndex


@dataclass(frozen=True)
class Searching:
    """How vectors are searched: on a device, so much at once; exactly, unless there are `indexes` of the scope."""

    device: str = "cpu"
    tiles: Tiles | None = None
    indexes: Indexes | None = None

    def search(
        self, miner: str, queries: Float16, shards: Shards, wanted: Sequence[Wanted], targets: Targets = NO_TARGETS
    ) -> Found:
        """Returns the lists and counts of one block of queries, by one miner's vectors."""
        if self.indexes is not None:
            return self.indexes.search(miner, queries, shards, wanted, targets, self.exact)
        return self.exact(queries, shards, wanted, targets)

    def exact(
        self, queries: Float16, shards: Callable[[], Iterable[Shard]], wanted: Sequence[Wanted], targets: Targets
    ) -> Found:
        """Returns exact lists and counts."""
        return Search(queries, shards, wanted, targets, first_pass(self.device, self.tiles)).run()


def search_further(  # noqa: PLR0917 - a miner, what it is asked, and how
    miner: str, asked: Seen, corpus: Corpus, left_out: Sequence[set[bytes]], k: int, searching: Searching
) -> tuple[Ranked, int]:
    """Returns each query's best `k` by one further encoder, and how many lists had to be scored twice.

    `asked` are the queries of a block that the encoder has vectors of, `left_out` the tags of all queries of the block.
    A document that the encoder has no vector of is not found; its vectors may be of any dimension.
    """
    tags = TagIndex([left_out[row] for row in asked.rows.tolist()])

    def shards(paths: Sequence[str] | None = None) -> Iterator[Shard]:
        for path, order, seen in further_shards(corpus.files(paths), miner):
            carried = column_of(path, "tags").take(seen.rows)
            for start, stop in cuts(tags.pairs(carried), MOST_PAIRS):
                pairs = tags.match(carried.slice(start, stop - start))
                yield Shard(seen.vectors[start:stop], order[start:stop], (pairs,))

    try:
        found = searching.search(miner, asked.vectors, shards, (Wanted(k, np.full(len(asked.rows), np.inf)),))
    except UnfitVector as unfit:
        if unfit.side == "query":
            raise UnfitVector("query", int(asked.rows[unfit.place]), unfit.problem) from unfit
        raise
    ranked = found.lists[0]
    return Ranked(asked.rows[ranked.queries], ranked.order, ranked.scores), found.rescored
