"""Which queries stay."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Count, CountOrZero, Settings
from oreline.recipe.settings.llm import Llm


class Rater(Settings):
    """The LLM that rates queries: would somebody type this?"""

    prompt: str = "filter/rater"
    """The prompt."""
    keep_from: Annotated[int, Field(ge=0, le=3)] = 2
    """Least grade, 0 to 3, of a query that stays."""
    human: bool = False
    """Whether human queries are rated too."""
    llm: Llm | None = None
    """A model for the rater alone."""


class Nearness(Settings):
    """When two queries are near: by MinHash over the n-grams of their words or characters, verified exactly."""

    threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Jaccard similarity of n-grams from which queries are near."""
    unit: Literal["word", "character"] = "word"
    """What n-grams are made of."""
    ngram: Count = 1
    """Units per n-gram; 1 compares sets of words. A query with fewer is compared as a whole."""
    bands: Count | None = 16
    """Bands of the signature; null, with rows: chosen from the threshold by datasketch's optimiser."""
    rows: Count | None = 4
    """Rows of a band."""
    keep: Literal["smallest_id", "longest"] = "smallest_id"
    """Which one stays of those with one origin; human ones come before synthetic before extractive ones."""
    human: bool = False
    """Whether human queries may be dropped too."""


class QueryNearness(Nearness):
    """Near-duplicate queries, within dataset, instruction and split."""

    positives: Literal["same", "union", "partial"] = "same"
    """same: only queries with equal positives are duplicates; union: the one that stays gets all positives; partial:
    it gets the others' positives as partial ones, which are neither positives nor negatives."""


class PairNearness(Nearness):
    """Near-duplicate pairs of split train: near queries, within dataset and instruction, with equal or near positives.

    A pair that goes becomes partial, so that its document is no negative of its query, nor of the query whose pair
    stays for it; a query without another positive goes with it.
    """

    documents: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Jaccard similarity of word 5-grams from which two positives are near; 1 asks for equal normalised texts."""


class Caps(Settings):
    """The most positive pairs that a document or a text may have in split train; what is over becomes partial."""

    per_document: Count | None = None
    """Most positive pairs of one document."""
    per_paragraph: Count | None = None
    """Most positive pairs of all documents of a dataset with one normalised text, whatever their titles."""
    choose: Literal["random", "rating"] = "random"
    """Which stay of those with one origin: drawn by the recipe's seed, or the best rated first and then drawn."""


class Filter(Settings):
    """Noisy and repeated queries."""

    enabled: bool = True
    """Whether the stage runs."""
    rules: Literal["default", "none"] = "default"
    """The free rules: words, language, repeated characters, verbatim copy. Human queries are exempt."""
    min_words: CountOrZero = 2
    """Fewest words of a written query; 4 characters count as a word in scripts without spaces."""
    max_words: Count = 120
    """Most words of a written query."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Whether near-duplicate queries are dropped, by near_queries. Equal queries are always merged."""
    near_queries: QueryNearness = QueryNearness()
    """Which queries are near-duplicates, and what happens to their positives."""
    near_pairs: PairNearness | None = None
    """Which pairs are near-duplicates; null: none are looked for."""
    caps: Caps = Caps()
    """The most pairs per document and per text; none by default."""
    rater: Rater | None = Rater()
    """The rater; skipped without an LLM; null switches it off."""
