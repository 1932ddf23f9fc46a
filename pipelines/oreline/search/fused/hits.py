"""Documents with exact scores, on the device."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from oreline.search.fused.finalists import Chosen, Sought
from oreline.search.fused.launch import Config, Vectors, exact_scores
from oreline.search.fused.layout import Layout

_BINS_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Corpus:
    """A shard on the device: vectors in slots of tiles as `config` says, and its documents' `order` and largest length.

    `order` is int64.
    """

    vectors: Vectors
    layout: Layout
    order: torch.Tensor
    norm: float
    config: Config

    def scores(self, queries: Vectors, rows: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
        """Returns the exact scores (float64) of pairs (query, document)."""
        return exact_scores(queries, self.vectors, rows, self.layout.slot(documents), self.config)

    def members(self, rows: torch.Tensor, bins: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yields the documents of bins, flat, in parts: the places of their bins in `bins`, and the documents."""
        positions = torch.arange(self.layout.places, device=rows.device)
        for start in range(0, len(rows), _BINS_AT_ONCE):
            some = bins[start : start + _BINS_AT_ONCE]
            documents = self.layout.document(some[:, None], positions[None, :])
            place, column = torch.nonzero(documents < self.layout.documents, as_tuple=True)
            yield place + start, documents[place, column]


@dataclass(frozen=True)
class Hits:
    """Documents found for queries, flat: rows and documents (int64), exact scores (float64)."""

    rows: torch.Tensor
    documents: torch.Tensor
    scores: torch.Tensor

    def __getitem__(self, chosen: torch.Tensor) -> "Hits":
        return Hits(self.rows[chosen], self.documents[chosen], self.scores[chosen])


def score(corpus: Corpus, queries: Vectors, chosen: Chosen, sought: Sought) -> Hits:
    """Scores what was chosen exactly, and returns each query's best k of it, sorted by (query, -score, order)."""
    parts = [_listed(corpus, queries, chosen.single, chosen.floor, sought)]
    barred = sought.left_out[0] * corpus.layout.documents + sought.left_out[1]
    rows, bins = chosen.full
    for place, documents in corpus.members(rows, bins):
        open_ = ~torch.isin(rows[place] * corpus.layout.documents + documents, barred)
        pairs = rows[place[open_]], documents[open_]
        parts.append(_listed(corpus, queries, pairs, chosen.floor, sought))
    every = Hits(
        torch.cat([each.rows for each in parts]),
        torch.cat([each.documents for each in parts]),
        torch.cat([each.scores for each in parts]),
    )
    return _best(every, corpus.order, sought.k)


def _listed(
    corpus: Corpus,
    queries: Vectors,
    pairs: tuple[torch.Tensor, torch.Tensor],
    floor: torch.Tensor,
    sought: Sought,
) -> Hits:
    """Scores pairs exactly and returns those that are neither below the floor nor too good for the list."""
    rows, documents = pairs
    scores = corpus.scores(queries, rows, documents)
    return Hits(rows, documents, scores)[(scores >= floor[rows]) & (scores < sought.below[rows])]


def _best(hits: Hits, order: torch.Tensor, k: int) -> Hits:
    """Returns each query's best k, sorted by (query, -score, order)."""
    hits = hits[torch.argsort(order[hits.documents], stable=True)]
    hits = hits[torch.argsort(hits.scores, descending=True, stable=True)]
    # Of 32 bits, as a radix sort makes half the passes then.
    hits = hits[torch.argsort(hits.rows.to(torch.int32), stable=True)]
    place = torch.arange(len(hits.rows), device=hits.rows.device)
    return hits[place - torch.searchsorted(hits.rows, hits.rows) < k]
