"""What dedup remembers of documents, and what a later run makes of it.

A finished run's `signatures` table stands for its documents: their classes of equal content, their buckets, and their
similarity, exact where the shingles are kept and otherwise estimated from the share of equal signature values.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline import files
from oreline.errors import BrokenTable
from oreline.ids import Json
from oreline.minhash.documents import CLASS_COLUMNS
from oreline.minhash.forms import Ints, buffer_of
from oreline.minhash.grams import Sequences, shingle_sets
from oreline.minhash.parameters import Parameters
from oreline.recipe.settings import Recipe
from oreline.tables.manifest import Manifest, broken_parts, read_manifest
from oreline.tables.reading import open_parquet
from oreline.tables.schema import table_schema

Signatures = npt.NDArray[np.uint32]


SKETCHES = pa.schema([("node", pa.int64()), ("signature", pa.large_binary()), ("shingles", pa.large_binary())])
"""A row per document: what is remembered of its text, as `signatures` holds it."""


def sketches_of(nodes: Ints, sequences: Sequences, signatures: Signatures, parameters: Parameters) -> pa.Table:
    """Returns the SKETCHES of documents from their n-grams, and the signatures of those that have some."""
    lengths = np.diff(sequences.starts)
    signed = np.where(lengths > 0, 4 * parameters.permutations, 0)
    shingles = pa.nulls(len(nodes), pa.large_binary())
    if parameters.remember == "shingles":
        sets = shingle_sets(sequences)
        shingles = _binary(sets.values, 4 * np.diff(sets.starts), lengths > 0)
    return pa.table([nodes, _binary(signatures, signed, lengths > 0), shingles], schema=SKETCHES)


def remembered(documents: pa.Table, clusters: pa.Array, keepers: pa.Array, sketches: pa.Table) -> pa.Table:
    """Returns the `signatures` rows of documents, each with its sketch, a cluster and a keeper, null for none."""
    columns = [
        documents.column("doc_id"),
        *(documents.column(name) for name in CLASS_COLUMNS),
        clusters,
        keepers,
        sketches.column("signature"),
        sketches.column("shingles"),
    ]
    return pa.table(columns, schema=table_schema("signatures"))


def signature_rows(column: pa.ChunkedArray, permutations: int) -> tuple[Ints, Signatures]:
    """Returns the rows of a `signature` column that have one, and those signatures, shape (rows, permutations)."""
    data, starts = buffer_of(column)
    signed = np.flatnonzero(np.diff(starts))
    return signed, np.frombuffer(data.tobytes(), "<u4").reshape(len(signed), permutations)


def shingle_rows(column: pa.ChunkedArray) -> Sequences:
    """Returns the sets of a `shingles` column; a null is an empty one."""
    data, starts = buffer_of(column)
    return Sequences(np.frombuffer(data.tobytes(), "<u4"), starts // 4)


def known_outputs(recipe: Recipe) -> list[str]:
    """Returns the outputs that a recipe is compared with, each once, however often and by whatever path it is named."""
    found: dict[str, str] = {}
    for output in recipe.dedup.against:
        found.setdefault(_folder(output), output)
    return list(found.values())


def known_manifests(recipe: Recipe) -> dict[str, Manifest]:
    """Returns the manifests of the outputs that a recipe is compared with; raises BrokenTable for one without."""
    found = {}
    for output in known_outputs(recipe):
        manifest = read_manifest(output, "dedup")
        if manifest is None:
            raise BrokenTable(f"dedup.against: {output} has no finished dedup; run its recipe first, or take it out")
        # Its texts may be gone: only its signatures are read.
        read = replace(manifest, tables={"signatures": manifest.tables.get("signatures", ())})
        if broken := broken_parts(output, read):
            raise BrokenTable(f"dedup.against: {broken[0]}; run that recipe again")
        found[output] = read
    return found


def known_digests(recipe: Recipe) -> Json:
    """Returns what of the known outputs enters the fingerprint: the digests of their signatures."""
    return [manifest.digest("signatures") for manifest in known_manifests(recipe).values()]


def known_problems(recipe: Recipe, parameters: Parameters) -> Iterator[str]:
    """Yields a sentence for each known output that cannot be compared with, remedies included."""
    try:
        manifests = known_manifests(recipe)
    except BrokenTable as error:
        yield str(error)
        return
    for output, manifest in manifests.items():
        if _folder(output) == _folder(recipe.output):
            yield f"dedup.against: {output} is this recipe's own output; name finished outputs of other recipes"
        if not manifest.rows("signatures"):
            if manifest.facts.get("remember") == "nothing":
                yield f"dedup.against: {output} remembers nothing; run its recipe with dedup.remember: signatures"
            continue
        theirs = cast("Mapping[str, Json]", manifest.facts.get("signing", {}))
        ours = parameters.signing()
        unlike = [name for name in ours if ours[name] != theirs.get(name)]
        other = [f"{name} {theirs.get(name)!r} (here {ours[name]!r})" for name in unlike]
        if other:
            yield f"dedup.against: signatures of {output} have {', '.join(other)}; they must be equal to be compared"


def unshared_datasets(recipe: Recipe, datasets: Collection[str]) -> Iterator[str]:
    """Yields a sentence for each known output that holds none of this recipe's `datasets`: nothing would be met."""
    if recipe.dedup.within == "corpus":
        return
    for output, manifest in known_manifests(recipe).items():
        theirs = _datasets(output, manifest)
        if theirs and not theirs.intersection(datasets):
            yield (
                f"dedup.against: {output} holds {', '.join(sorted(theirs))}, but this recipe's datasets are "
                f"{', '.join(sorted(datasets))}, and dedup.within is dataset: no document would be compared with it; "
                "set dedup.within: corpus, or give the sources those dataset names"
            )


def _datasets(output: str, manifest: Manifest) -> set[str]:
    """Returns the datasets of an output's signatures; of a row group of one dataset only its statistics are read."""
    found: set[str] = set()
    for part in manifest.tables.get("signatures", ()):
        with open_parquet(files.join(output, part.path)) as parquet:
            place = parquet.schema_arrow.get_field_index("dataset")
            for index in range(parquet.num_row_groups):
                statistics = parquet.metadata.row_group(index).column(place).statistics
                if statistics is not None and statistics.has_min_max and statistics.min == statistics.max:
                    found.add(statistics.min)
                else:
                    read = parquet.read_row_group(index, columns=["dataset"])
                    found.update(read.column("dataset").unique().to_pylist())
    return found


def _folder(path: str) -> str:
    return os.path.realpath(path) if files.is_local(path) else files.join(path)


def exact_against(recipe: Recipe) -> bool:
    """Says whether all known outputs keep shingles, so that similarities to their documents are exact."""
    manifests = known_manifests(recipe).values()
    return all(each.facts.get("remember") == "shingles" for each in manifests if each.rows("signatures"))


def _binary(values: npt.NDArray[np.uint32], lengths: Ints, valid: npt.NDArray[np.bool_]) -> pa.Array:
    """Returns values end to end as binaries of these lengths in bytes, null where not `valid`."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    data = pa.py_buffer(np.ascontiguousarray(values, "<u4").tobytes())
    mask = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.large_binary(), len(lengths), [mask, pa.py_buffer(offsets.tobytes()), data])
