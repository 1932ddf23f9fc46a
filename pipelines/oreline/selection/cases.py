"""Cases: all that selection knows about one query, gathered from the tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from oreline.recipe.settings import Mine, Recipe, Select
from oreline.records import Content, DocumentOrigin, Judgement, Pair, Query
from oreline.selection.mined import Mined


@dataclass(frozen=True)
class Passage:
    """A document as selection sees it; columns as in the table `documents`.

    `text` is None where no rule needs it (`select.near_equal: null`).
    """

    doc_id: str
    dataset: str
    content_hash: str
    text_hash: str
    content: Content = "text"
    parent_id: str | None = None
    group: str | None = None
    origin: DocumentOrigin = "source"
    searchable: bool = True
    text: str | None = None


@dataclass(frozen=True)
class Case:
    """One query with its pairs, its candidates and its judgements.

    `equal_pairs` are the pairs of other queries of the dataset whose text is equal, whatever their split or
    instruction, and what a judge found relevant for those. `candidate` is None if mine has no row for the query.
    `judgements` is None while no judge ran, or where its verdicts are not to act on the dataset, and empty if the judge
    said nothing about this query. `passages` holds every document that any of these name, and the parents of
    generated ones, as far as they exist.
    """

    query: Query
    pairs: tuple[Pair, ...]
    equal_pairs: tuple[Pair, ...]
    candidate: Mined | None
    judgements: tuple[Judgement, ...] | None
    passages: Mapping[str, Passage]


@dataclass(frozen=True)
class Rules:
    """The recipe's keys that selection follows; `scorers` in the recipe's order."""

    select: Select
    mine: Mine
    scorers: tuple[str, ...]
    seed: int

    @classmethod
    def of(cls, recipe: Recipe) -> "Rules":
        """Takes the keys out of a recipe."""
        return cls(recipe.select, recipe.mine, tuple(recipe.judge.scorers), recipe.seed)
