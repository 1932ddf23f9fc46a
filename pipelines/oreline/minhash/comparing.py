"""Comparing: edges are verified where their documents are, one end after the other.

The first end's shingles travel with the edge to the group of the second end. So no machine holds more than a group and
a block of edges, and a text is read from where it stands rather than copied.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.minhash.documents import TEXT_COLUMNS, grams_of, units_of
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Sequences, shingle_sets
from oreline.minhash.groups import Group, row_of
from oreline.minhash.parameters import Parameters
from oreline.minhash.permutations import agreement
from oreline.minhash.remembered import Signatures, shingle_rows, signature_rows
from oreline.minhash.similarity import EDIT_UNITS, Floats, edit_similarity, jaccard

HALVES = pa.schema(
    [
        ("here", pa.int64()),
        ("there", pa.int64()),
        ("exact", pa.bool_()),
        ("shingles", pa.large_list(pa.uint32())),
        ("units", pa.large_list(pa.uint32())),
        ("signature", pa.large_list(pa.uint32())),
    ]
)
"""Edges with what the end `here` is compared by. `exact`: its shingles are known. Lists not needed are empty."""

_BLOCK_EDGES = 16_384
_BLOCK_VALUES = 2**23


@dataclass(frozen=True)
class Comparables:
    """Documents ready to be compared, row by row.

    `exact` says whose shingles are known. `units` are words or characters in order, empty where edit similarity is not
    asked for or the text is too long for it; `signatures` has no columns unless similarities may be estimated.
    """

    exact: npt.NDArray[np.bool_]
    shingles: Sequences
    units: Sequences
    signatures: Signatures

    def take(self, rows: Ints) -> "Comparables":
        """Returns some rows, in the order given."""
        return Comparables(self.exact[rows], self.shingles.take(rows), self.units.take(rows), self.signatures[rows])

    def lists(self) -> list[pa.Array]:
        """Returns the columns of HALVES that a row is compared by."""
        number, width = self.signatures.shape
        flat = Sequences(self.signatures.ravel(), np.arange(number + 1, dtype=np.int64) * width)
        return [pa.array(self.exact), *(_lists(each) for each in (self.shingles, self.units, flat))]


@dataclass(frozen=True)
class Side:
    """The documents of a group as one end of edges; their texts are read once, when they are first compared.

    With `estimating`, a similarity to a document whose shingles are not known is the share of equal signature values.
    """

    group: Group
    parameters: Parameters
    estimating: bool

    def take(self, rows: Ints) -> Comparables:
        """Returns rows of the group ready to be compared."""
        known, width = self.group.known, self.parameters.permutations if self.estimating else 0
        table = self._table.take(pa.array(rows))
        if known:
            shingles = shingle_rows(table.column("shingles"))
            signatures = np.zeros((len(rows), width), np.uint32)
            if self.estimating:
                signed, values = signature_rows(table.column("signature"), width)
                signatures[signed] = values
            return Comparables(np.diff(shingles.starts) > 0, shingles, _none(len(rows)), signatures)
        sequences = grams_of(table, self.parameters.shape)
        signatures = self.parameters.drawn.signatures(sequences) if width else np.zeros((len(rows), 0), np.uint32)
        return Comparables(np.ones(len(rows), np.bool_), shingle_sets(sequences), self._units(table), signatures)

    def halves(self, here: Ints, there: Ints) -> Iterator[pa.Table]:
        """Yields the edges from nodes `here` of this group to nodes `there` as HALVES, in blocks of bounded size."""
        rows, places = np.unique(row_of(here), return_inverse=True)
        ready = self.take(rows)
        sizes = (np.diff(ready.shingles.starts) + np.diff(ready.units.starts) + ready.signatures.shape[1])[places]
        filled = np.cumsum(sizes) // _BLOCK_VALUES + np.arange(len(sizes)) // _BLOCK_EDGES
        bounds = [0, *(np.flatnonzero(np.diff(filled)) + 1).tolist(), len(sizes)]
        for start, end in pairwise(bounds):
            block = slice(start, end)
            columns = [here[block], there[block], *ready.take(places[block]).lists()]
            yield pa.table(columns, schema=HALVES)

    def similarities(self, edges: pa.Table) -> Floats:
        """Returns the Jaccard similarity of each edge of a HALVES table whose ends `there` are in this group."""
        return _jaccard(*self._ends(edges))

    def reached(self, edges: pa.Table) -> npt.NDArray[np.bool_]:
        """Says which edges of a HALVES table reach the threshold, in edit similarity too if the parameters say so."""
        one, other = self._ends(edges)
        reached = _jaccard(one, other) >= self.parameters.threshold
        if self.parameters.verify == "edit":
            # A text without units is too long for it or not at hand: its Jaccard similarity decides.
            both = (np.diff(one.units.starts) > 0) & (np.diff(other.units.starts) > 0)
            rows = np.flatnonzero(reached & both)
            found = edit_similarity(one.units.take(rows), other.units.take(rows), self.parameters.threshold)
            reached[rows] = found >= self.parameters.threshold
        return reached

    @cached_property
    def _table(self) -> pa.Table:
        return self.group.read(("signature", "shingles") if self.group.known else TEXT_COLUMNS)

    def _units(self, documents: pa.Table) -> Sequences:
        if self.parameters.verify != "edit":
            return _none(documents.num_rows)
        every = units_of(documents, self.parameters.unit)
        lengths = np.diff(every.starts)
        return _cut(every, np.where(lengths <= EDIT_UNITS, lengths, 0))

    def _ends(self, edges: pa.Table) -> tuple[Comparables, Comparables]:
        rows, places = np.unique(row_of(edges.column("there").to_numpy()), return_inverse=True)
        ready = self.take(rows)
        exact = np.asarray(edges.column("exact").to_numpy(zero_copy_only=False), np.bool_)
        shingles, units, flat = (_sequences(edges.column(name)) for name in ("shingles", "units", "signature"))
        signatures = flat.values.reshape(len(flat), ready.signatures.shape[1])
        return Comparables(exact, shingles, units, signatures), ready.take(places)


def _jaccard(one: Comparables, other: Comparables) -> Floats:
    found = jaccard(one.shingles, other.shingles)
    guessed = np.flatnonzero(~(one.exact & other.exact))
    if len(guessed):
        found[guessed] = agreement(one.signatures[guessed], other.signatures[guessed])
    return found


def _lists(sequences: Sequences) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(sequences.starts), pa.array(sequences.values))


def _sequences(lists: pa.ChunkedArray) -> Sequences:
    array = lists.combine_chunks()
    starts = array.offsets.to_numpy()
    return Sequences(array.values.to_numpy()[starts[0] : starts[-1]], starts - starts[0])


def _none(rows: int) -> Sequences:
    return Sequences(np.empty(0, np.uint32), np.zeros(rows + 1, np.int64))


def _cut(sequences: Sequences, lengths: Ints) -> Sequences:
    """Returns the rows cut to these lengths, each its own or zero."""
    kept = np.repeat(lengths > 0, np.diff(sequences.starts))
    return Sequences(sequences.values[kept], np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))
