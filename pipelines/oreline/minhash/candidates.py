"""Candidates: documents that share a bucket, by a band of their signatures or by equal content.

Two tables carry them between steps. BUCKETS has a row per document and bucket. NODES has a row per document with
what clustering needs to know of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa

from oreline.minhash.parameters import Parameters
from oreline.minhash.shingles import shingles
from oreline.minhash.signatures import Hashes, band_buckets, signatures, string_buckets
from oreline.records import Content

BUCKETS = pa.schema([("bucket", pa.uint64()), ("doc_id", pa.string())])
NODES = pa.schema(
    [
        ("doc_id", pa.string()),
        ("scope", pa.string()),
        ("content_hash", pa.string()),
        ("searchable", pa.bool_()),
        ("shingles", pa.large_list(pa.uint32())),  # all candidates' may be more than 2**31
    ]
)
COLUMNS = ("doc_id", "dataset", "title", "text", "content", "content_hash", "searchable")
"""Columns of `documents` that `describe` needs."""


@dataclass(frozen=True)
class Described:
    """A block of documents as the shuffle takes it: a NODES table and a BUCKETS table."""

    nodes: pa.Table
    buckets: pa.Table


def describe(documents: pa.Table, parameters: Parameters) -> Described:
    """Returns nodes and buckets of a block of documents (a table with `COLUMNS`).

    A document with fewer words than a shingle gets the one bucket of its content, no document is skipped.
    Duplicates are looked for within a dataset and content type: a document is mined within its dataset.
    """
    columns = {name: documents.column(name).to_pylist() for name in COLUMNS}
    doc_ids = cast("list[str]", columns["doc_id"])
    contents = cast("list[Content]", columns["content"])
    scopes = [f"{dataset}\n{content}" for dataset, content in zip(columns["dataset"], contents, strict=True)]
    sets = [
        shingles(title, text, content, parameters.ngram)
        for title, text, content in zip(columns["title"], columns["text"], contents, strict=True)
    ]
    hashes = cast("list[str]", columns["content_hash"])
    exact = string_buckets([f"{scope}\n{content}" for scope, content in zip(scopes, hashes, strict=True)])
    signed = [place for place, each in enumerate(sets) if len(each)]
    values = signatures([sets[place] for place in signed], parameters.permutations)
    banded = band_buckets(values, string_buckets([scopes[place] for place in signed]), parameters.bands)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in sets])])
    flat = np.concatenate([np.empty(0, np.uint32), *sets])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(flat, pa.uint32()))
    nodes = pa.table([doc_ids, scopes, hashes, columns["searchable"], lists], schema=NODES)
    return Described(nodes, _buckets(doc_ids, exact, signed, banded))


def _buckets(doc_ids: Sequence[str], exact: Hashes, signed: Sequence[int], banded: Hashes) -> pa.Table:
    ids = pa.array(doc_ids, pa.string())
    places = np.concatenate([np.arange(len(doc_ids)), np.repeat(np.array(signed, np.int64), banded.shape[1])])
    return pa.table([np.concatenate([exact, banded.ravel()]), ids.take(pa.array(places))], schema=BUCKETS)


def shared_buckets(buckets: pa.Table) -> pa.Table:
    """Returns the rows of a BUCKETS table whose bucket holds two documents or more."""
    values = buckets.column("bucket").to_numpy()
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    equal = ordered[1:] == ordered[:-1]
    shared = np.concatenate([equal, [False]]) | np.concatenate([[False], equal])
    return buckets.take(pa.array(order[shared[: len(order)]]))


def ranges_of(buckets: Hashes, ranges: int) -> Hashes:
    """Returns the hash range, 0 to `ranges` - 1, of each bucket."""
    half = np.uint64(32)
    return ((buckets >> half) * np.uint64(ranges)) >> half
