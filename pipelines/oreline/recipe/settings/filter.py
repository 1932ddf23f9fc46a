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
    """A model for this stage alone: for the rater, and for safety and quality where they are asked beside it."""


class Safety(Settings):
    """The LLM that flags queries no training set should hold: adult, hateful, dangerous, about private people."""

    prompt: str = "filter/safety"
    """The prompt."""
    action: Literal["drop", "flag"] = "drop"
    """drop: a flagged query is dropped; flag: it stays, and says in its column `unsafe` what was found."""
    human: bool = False
    """Whether human queries are asked about too."""


class Quality(Settings):
    """The LLM that checks human-annotated pairs of split train: wrong positives and wrong negatives become partial.

    A query without another positive goes with a wrong one. One call per pair.
    """

    prompt: str = "filter/quality"
    """The prompt."""
    positives_from: Annotated[int, Field(ge=1, le=3)] | None = 2
    """Least grade, 1 to 3, of a positive that stays one; null: positives are not asked about."""
    negatives_below: Annotated[int, Field(ge=1, le=3)] | None = None
    """Grade from which a given negative is none; null: negatives are not asked about."""
    datasets: list[str] | None = None
    """Datasets whose pairs are checked; default: all."""


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


class LogprobGate(Settings):
    """Written queries go that their own writer found unlikely, by the mean log-probability of their tokens (InPars).

    It needs `llm.logprobs` for synthesize. Queries of which the journal holds no log-probabilities pass.
    """

    at_least: Annotated[float, Field(le=0.0)] | None = None
    """Least mean log-probability, natural logarithm; null: none."""
    below: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Share of the lowest queries of a source (dataset, writer and model) that go, at most; equal ones go or stay
    together; null: none goes."""


class RatingGate(Settings):
    """Rated queries go whose grade is lowest among those of their source: dataset and writer."""

    below: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Share of a source's rated queries that go, at most; queries of equal grade go or stay together."""
    human: bool = False
    """Whether human queries may go too."""


class FilterGates(Settings):
    """What a query must pass within its source; none by default."""

    logprob: LogprobGate | None = None
    """By the log-probability of its tokens when it was written, before any model is asked."""
    rating: RatingGate | None = None
    """By the rater's grade, beside `rater.keep_from`."""


class UniformTasks(Settings):
    """Written queries of split train are sampled until every kind of task is as frequent (Gecko, §4).

    It is the last step, so that what other steps drop does not tilt the balance; which queries stay is drawn by a hash
    of their ids. To have more of a kind, write more: retrieval/fret suggests all kinds alike.
    """

    least: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    """Share of the queries below which a kind is too rare to be the measure of the others; it stays whole."""


class Filter(Settings):
    """Noisy and repeated queries."""

    enabled: bool = True
    """Whether the stage runs."""
    rules: Literal["default", "none"] = "default"
    """The free rules: words, language, repeated characters, verbatim copy. Human queries are exempt."""
    language: Literal["detect", "scripts", "none"] = "detect"
    """How a written query is found to be in another language than its writer was to write, that of the query's `lang`
    or else of its documents. detect: by language identification where it is sure, and by scripts; scripts: by scripts
    alone."""
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
    safety: Safety | None = None
    """Whether queries are asked about for safety; null: they are not."""
    quality: Quality | None = None
    """Whether human-annotated pairs are checked; null: they are not."""
    gates: FilterGates = FilterGates()
    """Shares of each source's worst queries that go; none by default."""
    uniform_tasks: UniformTasks | None = None
    """Whether kinds of tasks are made equally frequent; null: they are not."""

    @property
    def asks(self) -> bool:
        """Says whether the stage has anything to ask a model."""
        return self.rater is not None or self.safety is not None or self.quality is not None
