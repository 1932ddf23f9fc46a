"""Search by approximate indexes: fewer documents are looked at, but all that is found is scored exactly.

An index returns some documents per query, as many as are wanted and some more. They are scored in float64 from the
stored vectors; those left out, or not below a ceiling, are taken away. Where too few remain, the index is asked for
four times as many; where it has no more to give, that query's documents of that index are searched exactly. So a list
is short only if the corpus is, and a score is never approximate. What may be wrong: a document of the exact list may
be missing, and places count only the documents that were found, so that they may be too good.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from oreline.search.approximate.index import Index
from oreline.search.exact import UnfitVector
from oreline.search.scores import Float16, Float64, Int64, Unfit, largest_norm, pair_scores
from oreline.search.shards import NO_TARGETS, Found, Pairs, Ranked, Shard, Targets, Wanted, best_of

_SLACK = 32
"""Documents that are fetched beyond those that are wanted: positives and their like are taken away."""

_GROWTH = 4

Bools = npt.NDArray[np.bool_]


class ExactSearch(Protocol):
    """An exact search of some queries, as `search.exact` makes it."""

    def __call__(
        self, queries: Float16, shards: Callable[[], Iterable[Shard]], wanted: Sequence[Wanted], targets: Targets
    ) -> Found:
        """Returns exact lists and counts."""
        ...


@dataclass(frozen=True)
class Group:
    """The documents of some shards, in the order in which they stand in an index.

    `shards` gives the same shards on each call. Without an `index` they are searched exactly. `most_fetched` limits
    what a query may fetch.
    """

    rows: int
    shards: Callable[[], Iterable[Shard]]
    index: Callable[[], Index] | None = None
    most_fetched: int = 0


@dataclass(frozen=True)
class ApproximateSearch:
    """A search for a block of queries (float16, m x d) by the indexes of groups of shards.

    `effort` is how much an index looks at. Raises UnfitVector for a query that is not finite or too long.
    """

    queries: Float16
    groups: Sequence[Group]
    wanted: Sequence[Wanted]
    targets: Targets
    effort: int
    exact: ExactSearch

    def run(self) -> Found:
        """Returns lists with exact scores, and per target how many of the documents found stand ahead of it.

        `rescored` counts the queries that were searched exactly where an index had too few documents for them.
        """
        try:
            largest_norm(self.queries)
        except Unfit as unfit:
            raise UnfitVector("query", unfit.row, unfit.problem) from unfit
        parts = [self._of(group) for group in self.groups]
        lists = tuple(_merged([part.lists[place] for part in parts], each.k) for place, each in enumerate(self.wanted))
        ahead = sum((part.ahead for part in parts), np.zeros(len(self.targets.queries), np.int64))
        return Found(lists, ahead, sum(part.rescored for part in parts))

    def _of(self, group: Group) -> Found:
        if group.index is None:
            found = self.exact(self.queries, group.shards, self.wanted, self.targets)
            return Found(found.lists, found.ahead)
        hits, short = self._fetch(group, group.index())
        hits = hits.of(~np.isin(hits.queries, short))
        lists = [hits.list_of(place, each.k) for place, each in enumerate(self.wanted)]
        ahead = hits.ahead(self.targets)
        if len(short):
            exact = self._exactly(group, short)
            lists = [_merged(both, each.k) for *both, each in zip(lists, exact.lists, self.wanted, strict=True)]
            ahead[np.isin(self.targets.queries, short)] = exact.ahead
        return Found(tuple(lists), ahead, len(short))

    def _fetch(self, group: Group, index: Index) -> tuple["_Hits", Int64]:
        """Returns what the index finds, and the queries for which that is too little."""
        active = np.arange(len(self.queries), dtype=np.int64)
        most = min(group.rows, group.most_fetched)
        fetch = min(most, sum(each.k for each in self.wanted) + _SLACK)
        hits = _Hits.none(len(self.wanted))
        given_up = [np.empty(0, np.int64)]
        while len(active):
            rows = index.search(self.queries[active], fetch, self.effort)
            keys = np.unique((active[:, None] * group.rows + rows)[rows >= 0])
            fresh = np.setdiff1d(keys, hits.queries * group.rows + hits.rows, assume_unique=True)
            hits = hits.and_(self._scored(group, fresh, NO_TARGETS if len(hits.rows) else self.targets))
            short = self._short(hits)[active]
            all_there = (rows >= 0).sum(axis=1) >= fetch
            more = short & all_there & (fetch < most)
            given_up.append(active[short & ~more & ~(all_there & (fetch >= group.rows))])
            active, fetch = active[more], min(most, fetch * _GROWTH)
        return hits, np.sort(np.concatenate(given_up))

    def _short(self, hits: "_Hits") -> Bools:
        """Says for each query whether one of its lists is not full."""
        short = np.zeros(len(self.queries), np.bool_)
        for place, each in enumerate(self.wanted):
            have = np.bincount(hits.queries[hits.fits[place]], minlength=len(short))
            # Nothing scores less than -inf: such a list is empty, whatever is found.
            short |= (have < each.k) & (each.below > -np.inf)
        return short

    def _scored(self, group: Group, keys: Int64, targets: Targets) -> "_Hits":
        """Scores pairs (query x rows of the group + row) exactly, and the targets among the group's documents."""
        queries, rows = np.divmod(keys, group.rows)
        by_row = np.argsort(rows, kind="stable")
        sorted_rows = rows[by_row]
        hits, start = _Hits.none(len(self.wanted)), 0
        for shard in group.shards():
            stop = start + len(shard.order)
            first, last = np.searchsorted(sorted_rows, [start, stop])
            chosen = by_row[first:last]
            pairs = _with_targets(Pairs(queries[chosen], rows[chosen] - start), shard, targets)
            hits = hits.and_(self._judged(shard, pairs, start))
            start = stop
        return hits

    def _judged(self, shard: Shard, pairs: Pairs, start: int) -> "_Hits":
        """Returns the exact scores of a shard's pairs, and which lists may hold them; its first row is `start`."""
        scores = pair_scores(self.queries, pairs.queries, shard.vectors, pairs.rows)
        width = max(1, len(shard.order))
        keys = pairs.queries * width + pairs.rows
        open_, fits = np.ones(len(keys), np.bool_), []
        for place, each in enumerate(self.wanted):
            if place < len(shard.left_out):
                out = shard.left_out[place]
                open_ = open_ & ~np.isin(keys, out.queries * width + out.rows)
            fits.append(open_ & (scores < each.below[pairs.queries]))
        return _Hits(pairs.queries, pairs.rows + start, shard.order[pairs.rows], scores, tuple(fits))

    def _exactly(self, group: Group, chosen: Int64) -> Found:
        """Searches a group exactly for some queries, ascending; their targets' counts are in the targets' order."""
        row_of = np.full(len(self.queries), -1, np.int64)
        row_of[chosen] = np.arange(len(chosen))
        mine = np.isin(self.targets.queries, chosen)
        targets = Targets(row_of[self.targets.queries[mine]], self.targets.scores[mine], self.targets.order[mine])
        wanted = [Wanted(each.k, each.below[chosen]) for each in self.wanted]

        def shards() -> Iterable[Shard]:
            return (Shard(each.vectors, each.order, _only(each.left_out, row_of)) for each in group.shards())

        found = self.exact(self.queries[chosen], shards, wanted, targets)
        lists = tuple(Ranked(chosen[each.queries], each.order, each.scores) for each in found.lists)
        return Found(lists, found.ahead)


@dataclass(frozen=True)
class _Hits:
    """Documents that were found and scored, flat, each pair once; `fits` says for each list whether it may hold it."""

    queries: Int64
    rows: Int64
    order: Int64
    scores: Float64
    fits: tuple[Bools, ...]

    @classmethod
    def none(cls, lists: int) -> "_Hits":
        none = np.empty(0, np.int64)
        return cls(none, none, none, np.empty(0), tuple(np.empty(0, np.bool_) for _ in range(lists)))

    def and_(self, other: "_Hits") -> "_Hits":
        """Returns both."""
        return _Hits(
            np.concatenate([self.queries, other.queries]),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.order, other.order]),
            np.concatenate([self.scores, other.scores]),
            tuple(np.concatenate(both) for both in zip(self.fits, other.fits, strict=True)),
        )

    def of(self, chosen: Bools) -> "_Hits":
        """Returns some of them."""
        arrays = (self.queries[chosen], self.rows[chosen], self.order[chosen])
        return _Hits(*arrays, self.scores[chosen], tuple(each[chosen] for each in self.fits))

    def list_of(self, place: int, k: int) -> Ranked:
        """Returns each query's best k for a list."""
        fits = self.fits[place]
        return _merged([Ranked(self.queries[fits], self.order[fits], self.scores[fits])], k)

    def ahead(self, targets: Targets) -> Int64:
        """Returns per target how many documents found for its query stand ahead of it, left out of lists or not."""
        count = len(targets.queries)
        queries = np.concatenate([targets.queries, self.queries])
        order = np.concatenate([targets.order, self.order])
        scores = np.concatenate([targets.scores, self.scores])
        # A target that was found itself stands behind its own entry here, so that it does not count.
        is_hit = np.repeat([0, 1], [count, len(self.queries)])
        sorting = np.lexsort((is_hit, order, -scores, queries))
        before = np.cumsum(is_hit[sorting]) - is_hit[sorting]
        starts = np.searchsorted(queries[sorting], targets.queries)
        place = np.empty(len(sorting), np.int64)
        place[sorting] = np.arange(len(sorting))
        return np.asarray(before[place[:count]] - before[starts], np.int64)


def _with_targets(pairs: Pairs, shard: Shard, targets: Targets) -> Pairs:
    """Adds to a shard's pairs the targets that are in it: they are known, so they count whether found or not."""
    if len(targets.order) == 0 or len(shard.order) == 0:
        return pairs
    sorting = np.argsort(shard.order)
    place = np.minimum(np.searchsorted(shard.order[sorting], targets.order), len(sorting) - 1)
    rows = sorting[place]
    here = shard.order[rows] == targets.order
    width = len(shard.order)
    own = targets.queries[here] * width + rows[here]
    queries, places = np.divmod(np.union1d(pairs.queries * width + pairs.rows, own), width)
    return Pairs(queries, places)


def _only(left_out: Sequence[Pairs], row_of: Int64) -> tuple[Pairs, ...]:
    """Returns the pairs of the queries that have a new row, by that row."""
    chosen = [row_of[pairs.queries] >= 0 for pairs in left_out]
    return tuple(
        Pairs(row_of[pairs.queries[kept]], pairs.rows[kept]) for pairs, kept in zip(left_out, chosen, strict=True)
    )


def _merged(lists: Sequence[Ranked], k: int) -> Ranked:
    """Returns each query's best k of several lists."""
    none = Ranked(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    every = [none, *lists]
    hits = Ranked(
        np.concatenate([each.queries for each in every]),
        np.concatenate([each.order for each in every]),
        np.concatenate([each.scores for each in every]),
    )
    chosen = best_of(hits, k)
    return Ranked(hits.queries[chosen], hits.order[chosen], hits.scores[chosen])
