"""How mine searches vectors: exactly, or by an approximate index whose recall is measured."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Count, CountOrZero, Settings, Share


class _Approximate(Settings):
    """What all approximate indexes share: how many documents one holds, and how its recall is measured."""

    rows: Count = 1_048_576
    """Documents per index, at most. More of them are searched faster, and take more memory at once."""
    exact_below: CountOrZero = 131_072
    """Datasets with fewer documents are searched exactly, which is faster there."""
    sample: Count = 256
    """Queries, drawn by their ids, that are searched exactly too, to measure recall before anything is mined."""
    least_recall: Share = 0.95
    """Share of the exact lists' documents that must be found for the sampled queries; less stops the stage."""


class FaissIvf(_Approximate):
    """FAISS's inverted lists: documents by their nearest centroid; a query looks into a few lists. Fast to build."""

    kind: Literal["faiss_ivf"]
    """Which index it is: faiss_ivf."""
    lists: Count | None = None
    """Centroids per index; if left out, 4 times the square root of its documents, as a power of two."""
    probes: Count | None = None
    """Lists that a query looks into; if left out, the fewest of 8, 16, 32, ... that reach `least_recall`."""


class FaissHnsw(_Approximate):
    """FAISS's graph of neighbours (Malkov and Yashunin, 2016). Slow to build; pays with many queries per document."""

    kind: Literal["faiss_hnsw"]
    """Which index it is: faiss_hnsw."""
    neighbours: Annotated[int, Field(ge=2, le=512)] = 32
    """Links per document and layer; the lowest layer has twice as many."""
    ef_construction: Count = 80
    """Candidates that are looked at when a document is linked; more give a better graph and a slower build."""
    ef_search: Count | None = None
    """Candidates that a query keeps; if left out, the fewest of 64, 128, 256, ... that reach `least_recall`."""


class CuvsCagra(_Approximate):
    """NVIDIA cuVS's graph for GPUs (Ootomo et al., 2023). Built by parallel threads: not the same from run to run."""

    kind: Literal["cuvs_cagra"]
    """Which index it is: cuvs_cagra."""
    degree: Annotated[int, Field(ge=8, le=512)] = 64
    """Links per document."""
    intermediate_degree: Annotated[int, Field(ge=8, le=1024)] = 128
    """Links per document before the graph is pruned."""
    build: Literal["ivf_pq", "nn_descent"] = "ivf_pq"
    """How the graph is made."""
    breadth: Annotated[int, Field(ge=32, le=512)] | None = None
    """Candidates that a query keeps (cuVS's itopk_size); if left out, the fewest of 64, 128, 256 and 512 that reach
    `least_recall`."""


ApproximateIndex = FaissIvf | FaissHnsw | CuvsCagra
Index = Literal["exact"] | FaissIvf | FaissHnsw | CuvsCagra
