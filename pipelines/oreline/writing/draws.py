"""Draws: the works of writers that make documents from nothing, cut into blocks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from oreline.writing.chain import Chain, DrawingChain
from oreline.writing.work import Work

DRAWS_OF_A_BLOCK = 1_000
CALLS_OF_A_BLOCK = 20_000
"""About how many calls a block has at most: their answers are in memory together."""


@dataclass(frozen=True)
class Draws:
    """The draws `first` to `last` - 1 of a writer."""

    writer: str
    dataset: str
    first: int
    last: int

    def works(self) -> Iterator[Work]:
        """Yields a work per draw."""
        for draw in range(self.first, self.last):
            yield Work(self.writer, f"{self.dataset}/{self.writer}#{draw}", draw=draw)

    def encode(self) -> bytes:
        """Returns the block as it crosses an edge."""
        return json.dumps({"draws": [self.writer, self.dataset, self.first, self.last]}).encode()


def decode_draws(block: bytes) -> Draws | None:
    """Reads what `encode` wrote; None for a block of documents."""
    body = json.loads(block)
    return Draws(*body["draws"]) if isinstance(body, dict) else None


def blocks_of_draws(chains: dict[str, Chain]) -> Iterator[bytes]:
    """Yields the blocks of all writers that make documents from nothing."""
    for name, chain in chains.items():
        if not isinstance(chain, DrawingChain):
            continue
        draws = max(1, min(DRAWS_OF_A_BLOCK, int(CALLS_OF_A_BLOCK / max(1.0, *chain.calls))))
        for first in range(0, chain.draws, draws):
            yield Draws(name, chain.dataset, first, min(first + draws, chain.draws)).encode()
