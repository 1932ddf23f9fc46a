"""Indexes by FAISS on CPUs: inverted lists, and a graph of neighbours; both keep the float16 vectors without loss.

They are built by one thread from rows in one order, with FAISS's fixed seeds, so that building again on the same kind
of machine gives the same index. A search gives the same on any number of threads.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

import faiss
import numpy as np
import torch

from oreline.recipe.settings import FaissHnsw, FaissIvf
from oreline.search.approximate.index import Vectors
from oreline.search.scores import Float16, Float32, Int64

_MOST_FETCHED = 2_048
_TRAINED_PER_LIST = 64
_SEED = 13


class _Built(Protocol):
    """What is used of a `faiss.Index`."""

    def train(self, x: Float32) -> None: ...

    def add(self, x: Float32) -> None: ...

    def search(self, x: Float32, k: int, *, params: object) -> tuple[Float32, Int64]: ...


@dataclass(frozen=True)
class _Inverted:
    """An index of inverted lists."""

    built: _Built

    def search(self, queries: Float16, fetch: int, effort: int) -> Int64:
        """Returns rows, best first."""
        return _found(self.built, queries, fetch, faiss.SearchParametersIVF(nprobe=effort))

    def write(self, file: BinaryIO) -> None:
        """Writes the index with its vectors."""
        faiss.write_index(self.built, faiss.PyCallbackIOWriter(file.write))


@dataclass(frozen=True)
class _Graph:
    """An index that is a graph of neighbours."""

    built: _Built

    def search(self, queries: Float16, fetch: int, effort: int) -> Int64:
        """Returns rows, best first; FAISS keeps at least `fetch` candidates."""
        return _found(self.built, queries, fetch, faiss.SearchParametersHNSW(efSearch=max(effort, fetch)))

    def write(self, file: BinaryIO) -> None:
        """Writes the index with its vectors."""
        faiss.write_index(self.built, faiss.PyCallbackIOWriter(file.write))


@dataclass(frozen=True)
class IvfLibrary:
    """Makes and reads indexes of inverted lists."""

    settings: FaissIvf
    most_fetched: int = _MOST_FETCHED
    effort_key: str = "probes"

    @property
    def efforts(self) -> Sequence[int]:
        """How many lists a query may look into."""
        probes = self.settings.probes
        return (8, 16, 32, 64, 128, 256, 512, 1024) if probes is None else (probes,)

    def lists(self, rows: int) -> int:
        """Returns how many lists an index of so many documents has; never more than documents."""
        if self.settings.lists is not None:
            return min(self.settings.lists, rows)
        return int(2 ** round(math.log2(max(1.0, min(4.0 * math.sqrt(rows), rows / 2)))))

    def build(self, vectors: Vectors) -> _Inverted:
        """Finds centroids by k-means over evenly spaced rows, and puts every row into the list of its nearest one."""
        faiss.omp_set_num_threads(1)
        lists = self.lists(vectors.rows)
        centroids = faiss.IndexFlatIP(vectors.dimension)
        built = faiss.IndexIVFScalarQuantizer(
            centroids,
            vectors.dimension,
            lists,
            faiss.ScalarQuantizer.QT_fp16,
            faiss.METRIC_INNER_PRODUCT,
            False,  # whole vectors, as what is left of a vector beside its centroid would be rounded
        )
        built.cp.seed = _SEED
        built.cp.min_points_per_centroid = 1  # fewer rows than FAISS likes are no reason to print a warning
        built.train(_every(vectors, max(1, vectors.rows // (_TRAINED_PER_LIST * lists))))
        return _Inverted(_filled(built, vectors))

    def read(self, file: BinaryIO, vectors: Vectors) -> _Inverted:
        """Reads an index; its vectors stand in it."""
        del vectors
        return _Inverted(cast("_Built", faiss.read_index(faiss.PyCallbackIOReader(file.read))))


@dataclass(frozen=True)
class HnswLibrary:
    """Makes and reads indexes that are graphs."""

    settings: FaissHnsw
    most_fetched: int = _MOST_FETCHED
    effort_key: str = "ef_search"

    @property
    def efforts(self) -> Sequence[int]:
        """How many candidates a query may keep."""
        kept = self.settings.ef_search
        return (64, 128, 256, 512, 1024, 2048) if kept is None else (kept,)

    def build(self, vectors: Vectors) -> _Graph:
        """Links each row with its neighbours among those before it."""
        faiss.omp_set_num_threads(1)
        built = faiss.IndexHNSWSQ(
            vectors.dimension, faiss.ScalarQuantizer.QT_fp16, self.settings.neighbours, faiss.METRIC_INNER_PRODUCT
        )
        built.hnsw.efConstruction = self.settings.ef_construction
        return _Graph(_filled(built, vectors))

    def read(self, file: BinaryIO, vectors: Vectors) -> _Graph:
        """Reads an index; its vectors stand in it."""
        del vectors
        return _Graph(cast("_Built", faiss.read_index(faiss.PyCallbackIOReader(file.read))))


def _filled(built: _Built, vectors: Vectors) -> _Built:
    for block in vectors.blocks():
        if len(block):
            built.add(_wide(block))
    return built


def _every(vectors: Vectors, step: int) -> Float32:
    """Returns every `step`-th vector."""
    chosen: list[Float32] = []
    start = 0
    for block in vectors.blocks():
        chosen.append(_wide(block[-start % step :: step]))
        start += len(block)
    return np.concatenate(chosen)


def _found(built: _Built, queries: Float16, fetch: int, parameters: object) -> Int64:
    # FAISS has threads of its own, which know nothing of torch's; a query's result does not depend on their number.
    faiss.omp_set_num_threads(torch.get_num_threads())
    return built.search(_wide(queries), fetch, params=parameters)[1]


def _wide(vectors: Float16) -> Float32:
    """Returns float32 vectors, through torch, whose conversion from float16 is ten times numpy's."""
    return torch.from_numpy(np.ascontiguousarray(vectors)).float().numpy()
