"""The strings that a trainer reads: plain, or with the encoder's prefixes by the one registry."""

from dataclasses import dataclass

from oreline.encoders.prefixes import Prefixes, family_of, prefixes_of
from oreline.encoders.rendering import render_document, render_query
from oreline.recipe.settings import Recipe
from oreline.records import Document, Query


@dataclass(frozen=True)
class Texts:
    """How queries and documents become strings, by the prefixes of an encoder."""

    prefixes: Prefixes

    def query(self, query: Query) -> str:
        """Returns the string of a query; its instruction enters where the prefixes have a place for one."""
        return render_query(self.prefixes, query.query, query.task_type, query.instruction)

    def document(self, document: Document) -> str:
        """Returns the string of a document, title included."""
        return render_document(self.prefixes, document.title, document.text)


PLAIN = Texts(Prefixes())
"""Without prefixes: the query alone; title and text on two lines. For trainers that add prefixes themselves."""


def texts_of(recipe: Recipe) -> Texts:
    """Returns the strings that a recipe's files hold: with its encoder's prefixes if `export.prefixes` says so.

    They equal what the stage embed encoded. Raises CallError if prefixes are asked for, the model is of no known
    family, and its files are not there.
    """
    if not recipe.export.prefixes:
        return PLAIN
    if recipe.encoder.provider != "local" or family_of(recipe.encoder.model) is not None:
        return Texts(prefixes_of(recipe.encoder))
    from oreline.encoders.models import model_folder

    return Texts(prefixes_of(recipe.encoder, model_folder(recipe.encoder.model)))
