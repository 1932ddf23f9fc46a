"""Indexes by NVIDIA cuVS on a GPU: CAGRA, a pruned graph of neighbours (Ootomo et al., arXiv 2308.15136).

On disk stands the graph alone, as the format of cuVS's own files changes from version to version, and the vectors
stand in the shards. The graph is built by parallel threads: building again may give another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from cuvs.neighbors import cagra

from oreline.recipe.settings import CuvsCagra
from oreline.search.approximate.index import Vectors
from oreline.search.scores import Float16, Int64

_NOTHING = np.uint32(0xFFFFFFFF)
"""The row that cuVS gives where it found fewer documents."""


class _OnDevice(Protocol):
    """An array on the GPU, as cuVS returns it."""

    def copy_to_host(self) -> npt.NDArray[np.uint32]: ...


@dataclass(frozen=True)
class _Graph:
    """A graph on the GPU. `vectors` (float16, n x d) are held here, as cuVS only points at them."""

    graph: npt.NDArray[np.uint32]
    vectors: torch.Tensor
    built: object

    def search(self, queries: Float16, fetch: int, effort: int) -> Int64:
        """Returns rows, best first; cuVS keeps at least `fetch` candidates."""
        asked = torch.from_numpy(np.ascontiguousarray(queries)).to(self.vectors.device)
        parameters = cagra.SearchParams(itopk_size=max(effort, fetch))
        _, neighbours = cagra.search(parameters, self.built, asked, fetch)
        rows = cast("_OnDevice", neighbours).copy_to_host()
        return np.where((rows == _NOTHING) | (rows >= len(self.vectors)), -1, rows.astype(np.int64))

    def write(self, file: BinaryIO) -> None:
        """Writes the graph."""
        np.save(file, self.graph)


@dataclass(frozen=True)
class CagraLibrary:
    """Makes and reads indexes on the device named, such as `cuda`."""

    settings: CuvsCagra
    device: str
    most_fetched: int = 512
    effort_key: str = "breadth"

    @property
    def efforts(self) -> Sequence[int]:
        """How many candidates a query may keep."""
        breadth = self.settings.breadth
        return (64, 128, 256, 512) if breadth is None else (breadth,)

    def build(self, vectors: Vectors) -> _Graph:
        """Finds each row's neighbours, and prunes their graph."""
        settings = self.settings
        # A graph with as many links as documents cannot be pruned.
        parameters = cagra.IndexParams(
            metric="inner_product",
            intermediate_graph_degree=min(settings.intermediate_degree, max(1, vectors.rows - 1)),
            graph_degree=min(settings.degree, max(1, vectors.rows - 1)),
            build_algo=settings.build,
        )
        there = self._on_device(vectors)
        built = cagra.build(parameters, there)
        return _Graph(cast("_OnDevice", built.graph).copy_to_host(), there, built)

    def read(self, file: BinaryIO, vectors: Vectors) -> _Graph:
        """Reads a graph and puts it beside its vectors on the GPU."""
        graph: npt.NDArray[np.uint32] = np.load(file, allow_pickle=False)
        there = self._on_device(vectors)
        return _Graph(graph, there, cagra.from_graph(graph, there, metric="inner_product"))

    def _on_device(self, vectors: Vectors) -> torch.Tensor:
        there = torch.empty((vectors.rows, vectors.dimension), dtype=torch.float16, device=self.device)
        start = 0
        for block in vectors.blocks():
            there[start : start + len(block)].copy_(torch.from_numpy(np.ascontiguousarray(block)))
            start += len(block)
        return there
