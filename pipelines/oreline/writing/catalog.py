"""The writers by name: which there are, and what each needs."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from oreline.errors import RecipeError

if TYPE_CHECKING:
    from oreline.recipe.settings import Recipe
    from oreline.writing.chain import Chain


@dataclass(frozen=True)
class Writer:
    """A writer: `make` gives the chain of one that calls a model, None stands for one that calls none.

    `rounds` is how many rounds of calls it has at most. `section` is its own section of `synthesize`, if it has one,
    which enters a fingerprint only while it is used.
    `draws` says that it writes documents from nothing, so that it needs no document of the corpus.
    """

    name: str
    make: "Callable[[Recipe], Chain] | None" = None
    rounds: int = 1
    section: str | None = None
    draws: bool = False

    @property
    def needs_llm(self) -> bool:
        """Says whether it calls a model."""
        return self.make is not None


def _fret(name: str, source: str, recipe: "Recipe") -> "Chain":
    from oreline.writing.fret import fret

    return fret(name, source, recipe)


WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer("extractive/title"),
        Writer("extractive/inverse_cloze"),
        Writer("extractive/keyphrase"),
        Writer("retrieval/fret", partial(_fret, "retrieval/fret", "retrieval/fret")),
    )
}
"""All writers by name. `make` imports a writer's module only when it is used."""

SECTIONS: frozenset[str] = frozenset(each.section for each in WRITERS.values() if each.section is not None)
"""The sections of `synthesize` that belong to one writer."""


def writer_of(name: str) -> Writer:
    """Returns the writer of a name; a path ending in `.md` is a prompt file of one's own that answers as FRet's does.

    Raises RecipeError, which names the nearest writer.
    """
    if name in WRITERS:
        return WRITERS[name]
    if name.endswith(".md"):
        return Writer(name, partial(_fret, name, name))
    near = difflib.get_close_matches(name, WRITERS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "a prompt file of one's own is given by its path, ending in .md."
    raise RecipeError(f"synthesize.writers: there is no writer {name!r}; {hint} Writers: {', '.join(WRITERS)}")


def chains_of(recipe: "Recipe") -> "dict[str, Chain]":
    """Returns the chains of a recipe's writers that call a model, by name, in its order.

    Raises PromptError if a prompt cannot be used, RecipeError if a writer's settings cannot.
    """
    makers = {name: writer_of(name).make for name in recipe.writers()}
    return {name: make(recipe) for name, make in makers.items() if make is not None}
