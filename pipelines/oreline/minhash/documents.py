"""Documents as the kernels take them: content types apart, classes of equal content as hashes."""

from collections.abc import Callable
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.minhash.compiled import compiled
from oreline.minhash.forms import Bytes, Forms, Ints, buffer_of, forms_of
from oreline.minhash.grams import Hashes, Sequences, Shape, Unit, grams, units
from oreline.records import Content

TEXT_COLUMNS = ("title", "text", "content")
"""Columns of `documents` that shingles are made of."""

CLASS_COLUMNS = ("dataset", "content", "content_hash")
"""Columns of `documents` and `signatures` that say which documents are equal."""

_FOLD = np.uint64(0x9FB21C651E98DF25)
_PRIMES = (np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15))
_SHIFT = np.uint64(29)


def grams_of(documents: pa.Table, shape: Shape) -> Sequences:
    """Returns the n-grams of each document (`TEXT_COLUMNS`), title first."""
    return _by_content(documents, lambda forms: grams(forms, shape))


def units_of(documents: pa.Table, unit: Unit) -> Sequences:
    """Returns the words or characters of each document (`TEXT_COLUMNS`), title first."""
    return _by_content(documents, lambda forms: units(forms, unit))


def scopes_of(table: pa.Table, within: Literal["dataset", "corpus"]) -> Hashes:
    """Returns a hash per row (`CLASS_COLUMNS`) of what duplicates share besides text: content type, perhaps dataset."""
    scopes = _folded(_hashed(table.column("content"), 0))
    return _folded(scopes + _hashed(table.column("dataset"), 0)) if within == "dataset" else scopes


def classes_of(table: pa.Table, scopes: Hashes) -> tuple[Hashes, Hashes]:
    """Returns two hashes per row, 128 bits together, that are equal for rows of equal scope and content."""
    hashes = table.column("content_hash")
    return _folded(_hashed(hashes, 0) ^ scopes), _folded(_hashed(hashes, 1) + scopes)


def _by_content(documents: pa.Table, make: Callable[[Forms], Sequences]) -> Sequences:
    contents = documents.column("content")
    found, places = [], []
    for content in sorted(cast("list[Content]", pc.unique(contents).to_pylist())):
        rows = np.flatnonzero(pc.equal(contents, content).to_numpy(zero_copy_only=False))
        chosen = documents if len(rows) == documents.num_rows else documents.take(pa.array(rows))
        titles = chosen.column("title")
        has_titles = titles.null_count < chosen.num_rows
        found.append(make(forms_of(chosen.column("text"), content, titles if has_titles else None)))
        places.append(rows)
    if len(found) == 1:
        return found[0]
    if not found:
        return Sequences(np.empty(0, np.uint32), np.zeros(1, np.int64))
    joined = Sequences(
        np.concatenate([each.values for each in found]),
        np.concatenate([np.zeros(1, np.int64), *(each.starts[1:] + base for each, base in _with_bases(found))]),
    )
    return joined.take(np.argsort(np.concatenate(places), kind="stable"))


def _with_bases(found: list[Sequences]) -> list[tuple[Sequences, int]]:
    bases = np.concatenate([[0], np.cumsum([len(each.values) for each in found])])
    return list(zip(found, bases[:-1].tolist(), strict=True))


def _hashed(strings: pa.ChunkedArray, which: int) -> Hashes:
    data, starts = buffer_of(strings)
    return _string_hashes(data, starts, _PRIMES[which])


def _folded(state: Hashes) -> Hashes:
    state = (state ^ (state >> _SHIFT)) * _FOLD
    return state ^ (state >> _SHIFT)


@compiled
def _string_hashes(data: Bytes, starts: Ints, prime: np.uint64) -> Hashes:
    found = np.empty(len(starts) - 1, np.uint64)
    for row in range(len(found)):
        state = np.uint64(0xCBF29CE484222325)
        for place in range(starts[row], starts[row + 1]):
            state = (state ^ np.uint64(data[place])) * prime
        found[row] = state ^ (state >> np.uint64(32))
    return found
