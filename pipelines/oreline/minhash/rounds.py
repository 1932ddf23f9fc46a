"""Rounds: large-star and small-star over blocks of edges, as functions from references to references. No Beam here.

Rows are (node, neighbour), all of a node under one range. Between rounds they stand in both directions ("both"), within
a round from the larger to the smaller node ("down"). Once a round changed nothing, references pass on as they are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.minhash.components import LABELS, labels_of, large_star, small_star
from oreline.minhash.groups import group_of
from oreline.minhash.stars import distinct_edges
from oreline.minhash.steps import Route, Steps, routed, spread
from oreline.shuffle import Reference, Scatter, gather


@dataclass(frozen=True)
class Rounds:
    """Half-rounds of one job; changes travel as decimal bytes."""

    steps: Steps

    def begun(self, reference: bytes) -> Iterator[Reference]:
        """From some edges to rows in both directions."""
        edges = gather([reference])["edges"]
        yield from self._both(edges)

    def large(self, references: Iterable[bytes], changes: Iterable[bytes]) -> Iterator[Reference]:
        """From all rows of some nodes, in both directions, to rows from larger to smaller nodes, and the changes."""
        yield from self._half(references, changes, large=True)

    def small(self, references: Iterable[bytes], changes: Iterable[bytes]) -> Iterator[Reference]:
        """From all rows of some nodes to their smaller neighbours to rows in both directions, and the changes."""
        yield from self._half(references, changes, large=False)

    def settled(self, key: int, references: Iterable[bytes], changes: Iterable[bytes]) -> Iterator[Reference]:
        """Yields references as they are if the last round changed nothing, else all under one key, to be joined."""
        unsettled = _total(changes) > 0
        for reference in references:
            yield (0 if unsettled else 1 + key), reference

    def labelled(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From stars, or from all edges that are left, to the labels of their nodes by group."""
        del key
        rows = gather(references)["both"]
        nodes = np.unique(rows.column("node").to_numpy())
        found = labels_of(distinct_edges(*(rows.column(name).to_numpy() for name in ("node", "neighbour"))))
        # Of a star's leaf only its own range has all rows.
        own = np.isin(found.column("node").to_numpy(), nodes)
        labels = found.filter(pa.array(own)).cast(LABELS)
        scatter = Scatter(self.steps.job, "labels")
        yield from scatter.write(group_of(labels.column("node").to_numpy()), labels)
        yield from scatter.close()

    def _half(self, references: Iterable[bytes], changes: Iterable[bytes], *, large: bool) -> Iterator[Reference]:
        given = list(references)
        if _total(changes) == 0:
            yield from self._passed(given)
            return
        rows = gather(given)["both" if large else "down"]
        starred = (large_star if large else small_star)(
            *(rows.column(name).to_numpy() for name in ("node", "neighbour"))
        )
        if starred.changes:
            yield int(routed(np.zeros(1, np.int64), Route.COMPARE)[0]), str(starred.changes).encode()
        if large:
            yield from self._rows("down", starred.edges.column("high"), starred.edges.column("low"))
        else:
            yield from self._both(starred.edges)

    def _passed(self, references: list[bytes]) -> Iterator[Reference]:
        for reference in references:
            nodes = next(iter(gather([reference]).values())).column("node").to_numpy()
            yield int(routed(spread(nodes[:1], self.steps.ranges()), Route.JOIN)[0]), reference

    def _both(self, edges: pa.Table) -> Iterator[Reference]:
        low, high = edges.column("low"), edges.column("high")
        yield from self._rows(
            "both",
            pa.chunked_array([*low.chunks, *high.chunks], pa.int64()),
            pa.chunked_array([*high.chunks, *low.chunks], pa.int64()),
        )

    def _rows(self, tag: str, nodes: pa.ChunkedArray, neighbours: pa.ChunkedArray) -> Iterator[Reference]:
        table = pa.table([nodes, neighbours], names=["node", "neighbour"])
        scatter = Scatter(self.steps.job, tag)
        yield from scatter.write(routed(spread(nodes.to_numpy(), self.steps.ranges()), Route.JOIN), table)
        yield from scatter.close()


def _total(changes: Iterable[bytes]) -> int:
    return sum(int(each) for each in changes)
