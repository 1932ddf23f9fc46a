"""Signing: from a group to the buckets that its documents fall into."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.minhash.documents import CLASS_COLUMNS, TEXT_COLUMNS, classes_of, grams_of, scopes_of
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes
from oreline.minhash.groups import Group
from oreline.minhash.parameters import Parameters
from oreline.minhash.permutations import band_hashes
from oreline.minhash.remembered import signature_rows

EQUAL = pa.schema([("bucket", pa.uint64()), ("check", pa.uint64()), ("node", pa.int64())])
"""A row per document: documents of equal scope and content share bucket and check."""

BANDS = pa.schema([("bucket", pa.uint64()), ("class", pa.uint64()), ("node", pa.int64())])
"""A row per band of a document; `class` is the EQUAL bucket. Of equal documents in one group only one has rows."""

DOCUMENT_COLUMNS = tuple(dict.fromkeys((*CLASS_COLUMNS, *TEXT_COLUMNS)))
KNOWN_COLUMNS = (*CLASS_COLUMNS, "signature")

_BLOCK_VALUES = 2**24


@dataclass(frozen=True)
class Signed:
    """A group as the shuffle takes it: an EQUAL table and a BANDS table."""

    equal: pa.Table
    bands: pa.Table


def sign(group: Group, parameters: Parameters) -> Signed:
    """Returns the buckets of a group. Documents shorter than a shingle are in none but that of their content."""
    table = group.read(KNOWN_COLUMNS if group.known else DOCUMENT_COLUMNS)
    nodes = group.first_node + np.arange(table.num_rows)
    scopes = scopes_of(table, parameters.within)
    buckets, checks = classes_of(table, scopes)
    equal = pa.table([buckets, checks, nodes], schema=EQUAL)
    _, first = np.unique(buckets, return_index=True)
    first = np.sort(first)
    step = max(1, _BLOCK_VALUES // parameters.permutations)
    blocks = [BANDS.empty_table()]
    for start in range(0, len(first), step):
        rows = first[start : start + step]
        signed, hashes = _hashes(table.take(pa.array(rows)), scopes[rows], parameters, known=group.known)
        blocks.append(_bands(rows[signed], buckets, nodes, hashes))
    return Signed(equal, pa.concat_tables(blocks))


def _hashes(table: pa.Table, scopes: Hashes, parameters: Parameters, *, known: bool) -> tuple[Ints, Hashes]:
    """Returns the rows that have a shingle, and their buckets band by band."""
    if known:
        signed, signatures = signature_rows(table.column("signature"), parameters.permutations)
    else:
        sequences = grams_of(table, parameters.shape)
        signed = np.flatnonzero(np.diff(sequences.starts))
        signatures = parameters.drawn.signatures(sequences)[signed]
    return signed, band_hashes(signatures, scopes[signed], parameters.bands, parameters.rows)


def _bands(rows: Ints, buckets: Hashes, nodes: Ints, hashes: Hashes) -> pa.Table:
    bands = hashes.shape[1]
    return pa.table([hashes.ravel(), np.repeat(buckets[rows], bands), np.repeat(nodes[rows], bands)], schema=BANDS)
