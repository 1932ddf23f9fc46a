"""What is said of the miners before a run: who searches what, and whose scores count."""

from collections.abc import Iterator

from oreline.recipe.settings import Encoder, Recipe
from oreline.recipe.settings.mine import BM25, DENSE
from oreline.search.imported.checks import files_of
from oreline.search.imported.formats import form_of


def told(recipe: Recipe) -> Iterator[str]:
    """Yields a line about the miners; nothing where the recipe's own encoder is the only one.

    Raises CallError if a file of candidates is not there or its first line is none of its format.
    """
    if recipe.mine.miners == [DENSE]:
        return
    who = ", ".join(_told(recipe, miner) for miner in recipe.mine.miners)
    if recipe.mine.reference != DENSE:
        yield f"mine: {who}; nothing is encoded or searched: all scores and ranks are those of {recipe.mine.reference}"
        return
    yield f"mine: {who}; {_name(recipe.encoder)} scores whatever is found"


def _told(recipe: Recipe, miner: str) -> str:
    if miner == BM25:
        return "bm25 searches words"
    if miner in recipe.encoders():
        return f"{miner} searches by {_name(recipe.encoders()[miner])}"
    found = files_of(recipe.mine.runs[miner])
    more = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
    return f"{miner} is read from {found[0].path}{more} ({form_of(recipe.mine.runs[miner], found[0].path)})"


def _name(encoder: Encoder) -> str:
    return "the file of vectors" if encoder.provider == "file" else encoder.model
