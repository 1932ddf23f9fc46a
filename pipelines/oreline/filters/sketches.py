"""Sketches: rows of a block with the n-grams of their queries, and the buckets that near ones share."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.filters.words import words
from oreline.minhash.forms import forms_of
from oreline.minhash.grams import Hashes, Sequences, Shape, grams, shingle_sets
from oreline.minhash.parameters import LEAST_RECALL, MOST_PERMUTATIONS, WARN_RECALL, recall
from oreline.minhash.permutations import Permutations, band_hashes
from oreline.normalise import normalise_text
from oreline.recipe.settings import Filter, Nearness

SKETCHES = pa.schema(
    [
        ("bucket", pa.uint64()),
        ("scope", pa.uint64()),
        ("place", pa.string()),
        ("doc_id", pa.string()),
        ("text_hash", pa.string()),
        ("alike", pa.binary(16)),
        ("shingles", pa.list_(pa.uint32())),
    ]
)
"""A row per row to compare and bucket. `alike` is equal for rows of equal n-grams and text; `doc_id` and `text_hash`
name the positive of a pair, null for a query."""

_SEED = 1
_OPTIMAL_PERMUTATIONS = 64
_LARGEST_OPTIMISED = 0.98
_WHOLE = "\x01"


@dataclass(frozen=True)
class Row:
    """What is compared: a place, its scope (only rows of one are compared), the query, and a pair's positive."""

    place: str
    scope: str
    query: str
    doc_id: str | None = None
    text_hash: str | None = None


def banding(settings: Nearness) -> tuple[int, int]:
    """Returns bands and rows: those given, or those that datasketch's optimiser finds for the threshold.

    Candidates are verified, so a missed pair weighs 49 times a false one: with equal weights it would find only two
    in five at its own threshold.
    """
    if settings.bands is not None and settings.rows is not None:
        return settings.bands, settings.rows
    from datasketch import MinHashLSH

    threshold = min(settings.threshold, _LARGEST_OPTIMISED)
    chosen = MinHashLSH(threshold=threshold, num_perm=_OPTIMAL_PERMUTATIONS, weights=(0.02, 0.98))
    return int(chosen.b), int(chosen.r)


def found_share(settings: Nearness) -> float:
    """Returns the probability that two queries just at the threshold become candidates."""
    return recall(settings.threshold, *banding(settings))


def problems(settings: Nearness) -> list[tuple[str, str]]:
    """Returns the key and a sentence for each thing that is wrong with a section, remedies included."""
    if (settings.bands is None) != (settings.rows is None):
        return [("bands", "bands and rows go together: give both, or set both to null to have them chosen")]
    bands, rows = banding(settings)
    if bands * rows > MOST_PERMUTATIONS:
        found = f"bands x rows are {bands * rows:,} values per query; expected at most {MOST_PERMUTATIONS:,}"
        return [("bands", f"{found} (the defaults make 64)")]
    if (share := found_share(settings)) < LEAST_RECALL:
        found = f"{bands} bands of {rows} rows find only {share:.0%} of the queries at threshold {settings.threshold:g}"
        return [("bands", f"{found}; give more bands of fewer rows")]
    return []


def told(settings: Filter) -> Iterator[str]:
    """Yields a warning for each comparison of queries that finds fewer than nine in ten at its threshold."""
    near_queries = settings.near_queries if settings.duplicates == "drop" else None
    for name, nearness in (("near_queries", near_queries), ("near_pairs", settings.near_pairs)):
        if nearness is not None and (share := found_share(nearness)) < WARN_RECALL:
            bands, rows = banding(nearness)
            yield (
                f"filter: warning: {bands} bands of {rows} rows find only {share:.0%} of the queries at "
                f"filter.{name}.threshold {nearness.threshold:g}; more bands of fewer rows find more"
            )


def sketched(rows: Sequence[Row], settings: Nearness) -> pa.Table:
    """Returns the buckets (SKETCHES) of some rows; a query without a letter or digit has none."""
    sets = shingles([row.query for row in rows], Shape(settings.ngram, settings.unit))
    lengths = np.diff(sets.starts)
    some = np.flatnonzero(lengths)
    chosen = [rows[place] for place in some.tolist()]
    sets = sets.take(some)
    bands, height = banding(settings)
    scopes = np.array([_hash(row.scope) for row in chosen], np.uint64)
    values = Permutations.drawn(bands * height, _SEED).signatures(sets)
    buckets: Hashes = band_hashes(values, scopes, bands, height)
    lists = pa.ListArray.from_arrays(pa.array(sets.starts.astype(np.int32)), pa.array(sets.values, pa.uint32()))
    table = pa.table(
        {
            "scope": pa.array(scopes),
            "place": pa.array([row.place for row in chosen], pa.string()),
            "doc_id": pa.array([row.doc_id for row in chosen], pa.string()),
            "text_hash": pa.array([row.text_hash for row in chosen], pa.string()),
            "alike": pa.array([_alike(row, sets[place]) for place, row in enumerate(chosen)], pa.binary(16)),
            "shingles": lists,
        }
    )
    repeated = table.take(pa.array(np.repeat(np.arange(len(chosen)), bands)))
    return repeated.add_column(0, "bucket", pa.array(buckets.ravel(), pa.uint64())).cast(SKETCHES)


def shingles(queries: Sequence[str], shape: Shape) -> Sequences:
    """Returns the distinct n-grams of queries: of the words that rules count, or of the normal form's characters.

    A query with fewer units than an n-gram has one shingle, all of it; one without a word has none.
    """
    if shape.unit == "word":
        normal = [" ".join(words(query)) for query in queries]
    else:
        normal = [normalise_text(query, "text") if words(query) else "" for query in queries]
    found = _sets(normal, shape)
    whole = _sets([each.replace(" ", _WHOLE) for each in normal], Shape(1))
    short = np.diff(found.starts) == 0
    both = Sequences(
        np.concatenate([found.values, whole.values]),
        np.concatenate([found.starts[:-1], whole.starts + len(found.values)]),
    )
    places = np.arange(len(queries), dtype=np.int64)
    return both.take(np.where(short, places + len(queries), places))


def _sets(normal: Sequence[str], shape: Shape) -> Sequences:
    # What stands here is normalised already, so it is read as code is: as it stands.
    return shingle_sets(grams(forms_of(pa.array(normal, pa.string()), "code"), shape))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _alike(row: Row, values: "np.ndarray[tuple[int, ...], np.dtype[np.uint32]]") -> bytes:
    state = hashlib.blake2b(values.tobytes(), digest_size=16)
    state.update(f"\n{row.scope}\n{row.text_hash or ''}".encode())
    return state.digest()
