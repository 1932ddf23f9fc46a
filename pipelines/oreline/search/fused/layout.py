"""Where a document stands on the device: strided over tiles, so that neighbours by number never share a bin.

Document i of a shard is column i // tiles of tile i mod tiles. Two documents of one bin lie at least `tiles` apart, so
a run of near-equal neighbours (the pieces of one text) falls into as many bins as it has documents. TPU-KNN
(arXiv:2206.14286) takes neighbours to fall into bins at random: 100 of them with consecutive numbers would fill two
contiguous bins. An adversarial order costs time, never a result: `finalists` looks into each bin that may hold more.
"""

from dataclasses import dataclass

import torch

BINS_PER_TILE = 4
NOTHING = -1024.0
"""The value of a place without a document: far below every score, as no vector is longer than 5.6."""

_GROUP = 8
"""Bins are a multiple of it, so that the largest of eight can be looked at first."""


@dataclass(frozen=True)
class Layout:
    """The slots of `documents` documents (at least one) in tiles of `width` columns, a power of two from 8."""

    documents: int
    width: int

    @property
    def tiles(self) -> int:
        """Tiles, the last columns of some of them empty."""
        return -(-self.documents // self.width)

    @property
    def bins(self) -> int:
        """Bins that hold documents."""
        return BINS_PER_TILE * self.tiles

    @property
    def stored_bins(self) -> int:
        """Bins that the device has room for."""
        return -(-self.bins // _GROUP) * _GROUP

    @property
    def places(self) -> int:
        """Documents per bin, at most."""
        return self.width // BINS_PER_TILE

    def document(self, bins: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Returns the documents at positions of bins; from `documents` on there is none."""
        column = positions // 2 * 8 + bins % BINS_PER_TILE * 2 + positions % 2
        return column * self.tiles + bins // BINS_PER_TILE

    def bin_of(self, documents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the bins of documents, and their positions there."""
        column = documents // self.tiles
        bins = documents % self.tiles * BINS_PER_TILE + column // 2 % BINS_PER_TILE
        return bins, column // 8 * 2 + column % 2

    def slot(self, documents: torch.Tensor) -> torch.Tensor:
        """Returns the rows of documents in the matrix on the device, tile after tile."""
        return documents % self.tiles * self.width + documents // self.tiles

    def position(self, packed: torch.Tensor) -> torch.Tensor:
        """Returns the position that a packed score (float32, contiguous) has in its lowest bits."""
        return (packed.view(torch.int32) & (self.places - 1)).long()
