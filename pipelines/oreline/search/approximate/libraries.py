"""The libraries that make indexes, by the recipe's word for them, and what must be installed for them."""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

from oreline.recipe.settings import ApproximateIndex, CuvsCagra, FaissHnsw, FaissIvf

if TYPE_CHECKING:
    from oreline.search.approximate.index import Library


def library_of(settings: ApproximateIndex, device: str) -> "Library":
    """Returns the library that the recipe names; raises ImportError if its extra is not installed.

    `device` is where cuVS works, such as `cuda:0`.
    """
    library: Library
    match settings:
        case FaissIvf():
            from oreline.search.approximate.faiss_index import IvfLibrary

            library = IvfLibrary(settings)
        case FaissHnsw():
            from oreline.search.approximate.faiss_index import HnswLibrary

            library = HnswLibrary(settings)
        case CuvsCagra():
            from oreline.search.approximate.cagra_index import CagraLibrary

            library = CagraLibrary(settings, device)
    return library


def problems(settings: ApproximateIndex, device: str) -> Iterator[str]:
    """Yields what stands in the way of building such indexes on this machine."""
    if settings.kind == "cuvs_cagra":
        if importlib.util.find_spec("cuvs") is None:
            yield (
                "mine.index is cuvs_cagra, but the extra is missing: pip install 'oreline[cuvs]' (for CUDA 12; for "
                "other versions see docs.nvidia.com/cuvs/installation/python)"
            )
        if not device.startswith("cuda"):
            yield (
                f"mine.index is cuvs_cagra, which needs a CUDA device, but the encoder's device is {device}; "
                "choose faiss_hnsw or faiss_ivf, or exact"
            )
    elif importlib.util.find_spec("faiss") is None:
        yield f"mine.index is {settings.kind}, but the extra is missing: pip install 'oreline[faiss]'"
