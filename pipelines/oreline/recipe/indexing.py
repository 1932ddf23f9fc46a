"""Problems with the index of a recipe: keys that contradict each other, and places that it cannot know."""

from collections.abc import Iterator

from oreline.recipe.loading import LoadedRecipe
from oreline.recipe.settings import CuvsCagra, FaissIvf
from oreline.recipe.settings.mine import DENSE
from oreline.stages.catalog import mining_skipped


def index_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields a line per problem; nothing if the search is exact or skipped."""
    recipe = loaded.recipe
    index = recipe.mine.index
    if index == "exact" or mining_skipped(recipe) is not None:
        return
    if recipe.mine.reference != DENSE:
        sentence = f"mine.reference is the file {recipe.mine.reference}, so no vector is searched; leave the index out"
        yield loaded.problem("mine.index", sentence)
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
    # Without the dense miner, the index is asked for spare documents only.
    name = "top_k" if DENSE in recipe.mine.miners else "spare"
    sought = recipe.mine.top_k if name == "top_k" else recipe.mine.spare
    if gate.action != "off" and gate.rank > sought:
        key = "select.gates.round_trip.rank"
        yield loaded.problem(
            key if key in loaded.written else "mine.index",
            f"ranks are counted among the documents that the index finds, and mine.{name} is {sought}, so "
            f"select.gates.round_trip.rank ({gate.rank}) cannot be told; lower it, raise mine.{name}, or search "
            "exactly (mine.index: exact)",
        )
