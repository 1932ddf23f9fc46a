"""The first pass that never writes its scores: a shard on a GPU, and tiles of queries against it."""

from dataclasses import dataclass, field

import numpy as np
import torch

from oreline.search.first_pass import Finalists, FirstPass, Passed, Tile
from oreline.search.fused.bound import packed_error
from oreline.search.fused.counts import ahead, count_rest, counting_of
from oreline.search.fused.finalists import Sought
from oreline.search.fused.find import find
from oreline.search.fused.hits import Corpus, Hits
from oreline.search.fused.launch import Config, config_of, on
from oreline.search.fused.parts import joined, memory_parts, some_rows
from oreline.search.fused.upload import corpus_of, upload
from oreline.search.scores import Int64, pair_scores
from oreline.search.shards import NO_TARGETS, Shard

_INFINITE = float("inf")


@dataclass
class Tally:
    """How many queries were searched, summed over shards: by the fused kernels, and by the fallback."""

    fused: int = 0
    fallback: int = 0


@dataclass(frozen=True)
class Fused:
    """A first pass on a GPU by fused kernels; `fallback` searches what does not suit them.

    A shard with fewer than `bins_per_place` bins per place of a list goes to the fallback: its bins would hold several
    hits each. So do single queries for which more than an eighth of the bins would have to be scored in full: texts
    that are equal by the thousand, or most of a shard left out. `memory` bounds the bytes of maxima held at a time.
    """

    device: str
    fallback: FirstPass
    queries: int = 8_192
    memory: int = 4 << 30
    bins_per_place: int = 4
    config: Config | None = None
    tally: Tally = field(default_factory=Tally, compare=False)

    def open(self, shard: Shard) -> "FusedScan":
        """Copies a shard to the device; raises Unfit for a vector that is not finite or too long."""
        device = torch.device(self.device)
        config = self.config or config_of(device)
        with on(device):
            return FusedScan(self, shard, corpus_of(shard, config, device))


@dataclass(frozen=True)
class FusedScan:
    """A shard on a GPU."""

    settings: Fused
    shard: Shard
    corpus: Corpus

    def search(self, tile: Tile) -> Passed:
        """Returns the finalists of a tile, and its counts."""
        largest = max((each.k for each in tile.lists), default=0)
        if self.corpus.layout.bins < self.settings.bins_per_place * largest:
            self.settings.tally.fallback += len(tile.queries)
            return self.settings.fallback.open(self.shard).search(tile)
        outputs = sum(1 for each in tile.lists if each.k) or 1
        row_bytes = 4 * self.corpus.layout.stored_bins
        parts = list(memory_parts(tile, outputs, row_bytes, self.settings.memory))
        if len(parts) == 1:
            return self._search(tile)
        return joined([(rows, self._search(some_rows(tile, rows))) for rows in parts], len(tile.lists))

    def _search(self, tile: Tile) -> Passed:
        with on(self.corpus.order.device):
            return self._fused(tile)

    def _fused(self, tile: Tile) -> Passed:
        queries = upload(tile.queries, self.corpus.order.device)
        error = packed_error(queries.dimension, tile.norm, self.corpus.norm, self.corpus.layout.places)
        counting = counting_of(tile.targets, len(tile.queries), self.corpus, error)
        lists = [self._sought(tile, place, error) for place in range(len(tile.lists))]
        hits, crowded = find(self.corpus, queries, lists, counting)
        counts = np.zeros(0, np.int64)
        if counting is not None:
            count_rest(queries, self.corpus, counting)
            counts = ahead(tile.targets, queries, self.corpus, counting).cpu().numpy()
        again = np.flatnonzero(crowded.cpu().numpy()).astype(np.int64)
        self.settings.tally.fused += len(tile.queries) - len(again)
        found = tuple(_host(each, len(tile.queries), again) for each in hits)
        return Passed(self._again(tile, again, found), counts)

    def _sought(self, tile: Tile, place: int, error: float) -> Sought:
        """Returns what is sought of a list, on the device."""
        device, each = self.corpus.order.device, tile.lists[place]
        pairs, none = tile.left_out[: place + 1], np.empty(0, np.int64)
        left_out = (
            torch.from_numpy(np.concatenate([none, *(some.queries for some in pairs)])).to(device),
            torch.from_numpy(np.concatenate([none, *(some.rows for some in pairs)])).to(device),
        )
        below, floor = (torch.from_numpy(values).to(device) for values in (each.below, each.floor))
        return Sought(each.k, below, floor, bool((each.below < _INFINITE).any()), left_out, error)

    def _again(self, tile: Tile, again: Int64, found: tuple[Finalists, ...]) -> tuple[Finalists, ...]:
        """Adds what the fallback finds for some queries."""
        if len(again) == 0:
            return found
        self.settings.tally.fallback += len(again)
        part = some_rows(tile, again, NO_TARGETS)
        late = self.settings.fallback.open(self.shard).search(part).finalists
        return tuple(self._both(one, other, again, part) for one, other in zip(found, late, strict=True))

    def _both(self, one: Finalists, other: Finalists, rows: Int64, part: Tile) -> Finalists:
        unseen = one.unseen.copy()
        unseen[rows] = other.unseen
        late = other.scores
        if late is None:
            late = pair_scores(part.queries, other.rows, self.shard.vectors, other.places)
        scores = np.empty(0) if one.scores is None else one.scores
        both = np.concatenate([one.rows, rows[other.rows]])
        sorting = np.argsort(both, kind="stable")
        places = np.concatenate([one.places, other.places])
        return Finalists(both[sorting], places[sorting], unseen, np.concatenate([scores, late])[sorting])


def _host(hits: Hits | None, queries: int, but: Int64) -> Finalists:
    """Returns hits as finalists, but for some queries; whatever is no finalist is surely outside the list."""
    unseen = np.full(queries, -_INFINITE)
    if hits is None:
        return Finalists(np.empty(0, np.int64), np.empty(0, np.int64), unseen, np.empty(0))
    rows, documents, scores = (each.cpu().numpy() for each in (hits.rows, hits.documents, hits.scores))
    if len(but) == 0:
        return Finalists(rows, documents, unseen, scores)
    kept = ~np.isin(rows, but)
    return Finalists(rows[kept], documents[kept], unseen, scores[kept])
