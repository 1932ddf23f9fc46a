"""Problems with the index of a recipe: keys that contradict each other, and places that it cannot know."""

from collections.abc import Iterator

from oreline.recipe.loading import LoadedRecipe
from oreline.recipe.settings import CuvsCagra, FaissIvf
from oreline.stages.catalog import mining_skipped


def index_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields a line per problem; nothing if the search is exact or skipped."""
    recipe = loaded.recipe
    index = recipe.mine.index
    if index == "exact" or mining_skipped(recipe) is not None:
        return
    if isinstance(index, FaissIvf) and index.lists is not None and (index.probes or 0) > index.lists:
        yield loaded.problem(
            "mine.index.probes", f"it looks into {index.probes} lists, but mine.index.lists is {index.lists}"
        )
    if isinstance(index, CuvsCagra) and index.intermediate_degree < index.degree:
        yield loaded.problem(
            "mine.index.intermediate_degree",
            f"a graph of {index.intermediate_degree} links per document cannot be pruned to {index.degree} "
            "(mine.index.degree); raise it",
        )
    gate = recipe.select.gates.round_trip
    if gate.action != "off" and gate.rank > recipe.mine.top_k:
        key = "select.gates.round_trip.rank"
        yield loaded.problem(
            key if key in loaded.written else "mine.index",
            f"ranks are counted among the documents that the index finds, and mine.top_k is {recipe.mine.top_k}, so "
            f"select.gates.round_trip.rank ({gate.rank}) cannot be told; lower it, raise mine.top_k, or search "
            "exactly (mine.index: exact)",
        )
