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
    """A writer: `make` gives its chain; None stands for an extractive one, which has none.

    `rounds` is how many rounds of calls it has at most. `section` is its own section of `synthesize`, if it has one,
    which enters a fingerprint only while it is used.
    `draws` says that it writes documents from nothing, so that it needs no document of the corpus. `copies` says that
    what it writes is meant to stand in the document, so that a copy is no fault (see `filters.rules`).
    `gathers` says that it shows documents with others, which are looked for in the whole corpus beforehand.
    `calls_model` is False for a chain whose rows need no answer.
    """

    name: str
    make: "Callable[[Recipe], Chain] | None" = None
    rounds: int = 1
    section: str | None = None
    draws: bool = False
    copies: bool = False
    calls_model: bool = True
    gathers: bool = False

    @property
    def needs_llm(self) -> bool:
        """Says whether it calls a model."""
        return self.make is not None and self.calls_model


def _fret(name: str, source: str, recipe: "Recipe") -> "Chain":
    from oreline.writing.fret import fret

    return fret(name, source, recipe)


def _describe(recipe: "Recipe") -> "Chain":
    from oreline.writing.code import describe

    return describe("code/describe", recipe)


def _question(recipe: "Recipe") -> "Chain":
    from oreline.writing.code import question

    return question("code/question", recipe)


def _multi_hop(recipe: "Recipe") -> "Chain":
    from oreline.writing.multi_hop import multi_hop

    return multi_hop("retrieval/multi_hop", recipe)


def _persona(recipe: "Recipe") -> "Chain":
    from oreline.writing.persona import persona

    return persona("retrieval/persona", recipe)


def _summarize(recipe: "Recipe") -> "Chain":
    from oreline.writing.summarize import summarize

    return summarize("retrieval/summarize", recipe)


def _few_shot(recipe: "Recipe") -> "Chain":
    from oreline.writing.few_shot import few_shot

    return few_shot("retrieval/few_shot", recipe)


def _brainstorm(recipe: "Recipe") -> "Chain":
    from oreline.writing.brainstorm.chain import brainstorm

    return brainstorm("generated/brainstorm", recipe)


def _classification(name: str, recipe: "Recipe") -> "Chain":
    from oreline.writing.classification.chain import classification

    return classification(name, recipe)


def _labelled(recipe: "Recipe") -> "Chain":
    from oreline.writing.classification.labelled import labelled

    return labelled("classification/labelled", recipe)


_CLASSIFICATION = tuple(f"classification/{task}" for task in ("counterfactual", "sentiment", "reviews", "task"))

WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer("extractive/title", copies=True),
        Writer("extractive/inverse_cloze", copies=True),
        Writer("extractive/keyphrase", copies=True),
        Writer("extractive/docstring", copies=True),
        Writer("retrieval/fret", partial(_fret, "retrieval/fret", "retrieval/fret")),
        Writer("retrieval/summarize", _summarize, rounds=2, section="summarize"),
        Writer("retrieval/few_shot", _few_shot, section="few_shot"),
        Writer("code/describe", _describe, section="describe"),
        Writer("code/question", _question, section="question"),
        Writer("retrieval/multi_hop", _multi_hop, rounds=2, section="multi_hop", gathers=True),
        Writer("retrieval/persona", _persona, rounds=2, section="persona"),
        Writer("generated/brainstorm", _brainstorm, rounds=2, section="brainstorm", draws=True),
        *(
            Writer(name, partial(_classification, name), rounds=2, section="classification", draws=True)
            for name in _CLASSIFICATION
        ),
        Writer("classification/labelled", _labelled, section="labelled", calls_model=False),
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
