"""Signing: from a group to the buckets that its documents fall into."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.minhash.documents import CLASS_COLUMNS, TEXT_COLUMNS, classes_of, grams_of, scopes_of
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes, Sequences
from oreline.minhash.groups import Group
from oreline.minhash.parameters import Parameters
from oreline.minhash.permutations import band_hashes
from oreline.minhash.remembered import SKETCHES, Signatures, signature_rows, sketches_of

EQUAL = pa.schema([("bucket", pa.uint64()), ("check", pa.uint64()), ("node", pa.int64())])
"""A row per document: documents of equal scope and content share bucket and check."""

BANDS = pa.schema([("bucket", pa.uint64()), ("class", pa.uint64()), ("node", pa.int64())])
"""A row per band of a document; `class` is the EQUAL bucket. Of equal documents in one group only one has rows."""

DOCUMENT_COLUMNS = tuple(dict.fromkeys((*CLASS_COLUMNS, *TEXT_COLUMNS)))
KNOWN_COLUMNS = (*CLASS_COLUMNS, "signature")

_BLOCK_VALUES = 2**24


@dataclass(frozen=True)
class Signed:
    """A group as the shuffle takes it: an EQUAL table, a BANDS table and, where it is to be remembered, SKETCHES."""

    equal: pa.Table
    bands: pa.Table
    sketches: pa.Table


def sign(group: Group, parameters: Parameters, without: Ints | None = None) -> Signed:
    """Returns the buckets of a group, but for the rows `without`.

    Documents shorter than a shingle are in no bucket but that of their content.
    """
    table = group.read(KNOWN_COLUMNS if group.known else DOCUMENT_COLUMNS)
    nodes = group.first_node + np.arange(table.num_rows)
    scopes = scopes_of(table, parameters.within)
    buckets, checks = classes_of(table, scopes)
    taken = np.arange(table.num_rows) if without is None else np.delete(np.arange(table.num_rows), without)
    equal = pa.table([buckets[taken], checks[taken], nodes[taken]], schema=EQUAL)
    first = np.zeros(table.num_rows, np.bool_)
    first[taken[np.unique(buckets[taken], return_index=True)[1]]] = True
    remembering = parameters.remember != "nothing" and not group.known
    wanted = taken if remembering else np.flatnonzero(first)
    step = max(1, _BLOCK_VALUES // parameters.permutations)
    bands, sketches = [BANDS.empty_table()], [SKETCHES.empty_table()]
    for start in range(0, len(wanted), step):
        rows = wanted[start : start + step]
        block = table.slice(start, step) if len(wanted) == len(nodes) else table.take(pa.array(rows))
        signed, signatures, sequences = _signatures(block, parameters, known=group.known)
        bucketed = first[rows[signed]]
        chosen = rows[signed][bucketed]
        hashes = band_hashes(signatures[bucketed], scopes[chosen], parameters.bands, parameters.rows)
        bands.append(_bands(chosen, buckets, nodes, hashes))
        if remembering:
            sketches.append(sketches_of(nodes[rows], sequences, signatures, parameters))
    return Signed(equal, pa.concat_tables(bands), pa.concat_tables(sketches))


def _signatures(table: pa.Table, parameters: Parameters, *, known: bool) -> tuple[Ints, Signatures, Sequences]:
    """Returns the rows that have a shingle, the signatures of those, and the n-grams of all; none of known ones."""
    if known:
        signed, signatures = signature_rows(table.column("signature"), parameters.permutations)
        return signed, signatures, Sequences(np.empty(0, np.uint32), np.zeros(table.num_rows + 1, np.int64))
    sequences = grams_of(table, parameters.shape)
    signed = np.flatnonzero(np.diff(sequences.starts))
    signatures = parameters.drawn.signatures(sequences)
    return signed, signatures if len(signed) == len(signatures) else signatures[signed], sequences


def _bands(rows: Ints, buckets: Hashes, nodes: Ints, hashes: Hashes) -> pa.Table:
    bands = hashes.shape[1]
    return pa.table([hashes.ravel(), np.repeat(buckets[rows], bands), np.repeat(nodes[rows], bands)], schema=BANDS)
