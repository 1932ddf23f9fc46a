"""Leaders: which of some near-duplicates stay. In the order in which rows stay, each goes that is near one that stays.

So nothing is dropped for a row that is dropped itself, no chain of small changes drops unlike rows, and no two rows
that stay are near: the lexicographically first maximal independent set of the graph of near rows (Blelloch, Fineman
and Shun, Greedy sequential maximal independent set and matching are parallel on average, 2012).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline.minhash.compiled import compiled
from oreline.tables.reading import open_parquet

EDGES = pa.schema(
    [("later", pa.string()), ("earlier", pa.string()), ("similarity", pa.float64()), ("equal", pa.bool_())]
)
"""Two near rows by their places, strings that sort as rows stay. `equal` says that whatever is near the one is as near
the other: of many equal rows each needs only an edge to the first."""

LED = pa.schema([("row", pa.string()), ("leader", pa.string()), ("similarity", pa.float64()), ("members", pa.int64())])
"""A row that goes, the one that stays for it (most similar, then first), and how many rows that one's cluster has."""

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


@compiled
def _follow(later: _Ints, earlier: _Ints, similarity: _Floats, equal: _Bools, stays: _Bools) -> tuple[_Ints, _Floats]:
    rows = len(stays)
    leaders = np.full(rows, -1, np.int64)
    best = np.zeros(rows, np.float64)
    # Of each row the most similar one that stays, later ones too: what a row that is equal to it is led by.
    nearest = np.arange(rows)
    closest = np.ones(rows, np.float64)
    edge = 0
    while edge < len(later):
        row, first = later[edge], edge
        leader, most = -1, 0.0
        while edge < len(later) and later[edge] == row:
            other, found = earlier[edge], similarity[edge]
            if equal[edge]:
                other, found = nearest[other], closest[other]
            if leaders[other] < 0 and (leader < 0 or found > most or (found == most and other < leader)):
                leader, most = other, found
            edge += 1
        if leader >= 0 and not stays[row]:
            leaders[row], best[row] = leader, most
        if leader >= 0 and (not stays[row] or most >= 1.0):
            nearest[row], closest[row] = leader, most
        if leaders[row] < 0:
            for each in range(first, edge):
                other = earlier[each]
                if similarity[each] > closest[other]:
                    nearest[other], closest[other] = row, similarity[each]
    return leaders, best


def led(edges: Sequence[pa.Table], *, staying: str | None = None) -> pa.Table:
    """Returns the rows that go (LED), sorted; `edges` (EDGES) may hold an edge more than once, in any order.

    No row goes whose place begins with `staying`. In memory: the edges of one scope, none of its rows without a near
    one.
    """
    table = pa.concat_tables([EDGES.empty_table(), *edges])
    places = pc.unique(pa.chunked_array([*table.column("later").chunks, *table.column("earlier").chunks], pa.string()))
    places = places.take(pc.sort_indices(places))
    later, earlier = (
        np.asarray(pc.index_in(table.column(name), value_set=places), np.int64) for name in ("later", "earlier")
    )
    similarity = np.asarray(table.column("similarity"), np.float64)
    equal = np.asarray(table.column("equal"), np.bool_)
    stays = np.zeros(len(places), np.bool_)
    if staying is not None:
        stays[:] = pc.starts_with(places, staying).to_numpy(zero_copy_only=False)
    order = np.argsort(later, kind="stable")
    leaders, best = _follow(later[order], earlier[order], similarity[order], equal[order], stays)
    gone = np.flatnonzero(leaders >= 0)
    members = 1 + np.bincount(leaders[gone], minlength=len(places))
    columns = [
        places.take(pa.array(gone)),
        places.take(pa.array(leaders[gone])),
        best[gone],
        members[leaders[gone]],
    ]
    return pa.table(columns, schema=LED)


def about(paths: Iterable[bytes], rows: pa.ChunkedArray) -> pa.Table:
    """Returns what files (LED) say of some rows; they are streamed, only these are held."""
    wanted = rows.combine_chunks()
    found = [LED.empty_table()]
    for path in paths:
        with open_parquet(path.decode()) as parquet:
            for group in range(parquet.num_row_groups):
                block = parquet.read_row_group(group)
                found.append(block.filter(pc.is_in(block.column("row"), wanted)))
    return pa.concat_tables(found)
