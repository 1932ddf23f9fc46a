"""Thinners: the steps between merging and rating that look at more than one block, in their order."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from oreline.filters.caps import PairCaps, caps_of
from oreline.filters.duplicates import PairDuplicates, QueryDuplicates
from oreline.filters.gates import LogprobGates, RatingGates
from oreline.filters.judged import JudgedQuery, Thinned
from oreline.filters.logprobs import Logprobs, has_logprobs
from oreline.filters.rater import active_rater
from oreline.filters.tasks import UniformTasks
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Recipe
from oreline.shuffle import Reference


class Thinner(Protocol):
    """A step that is prepared block by block, decided by hash range, and applied block by block."""

    def prepare(self, queries: Sequence[JudgedQuery]) -> Iterator[Reference]:
        """Yields references to what is decided by, by hash range."""
        ...

    def decide(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields references to what is decided of a hash range, by range of queries."""
        ...

    def apply(self, writer: StageWriter, queries: Sequence[JudgedQuery], decisions: pa.Table | None) -> Thinned:
        """Returns what stays of a block, and tells what goes."""
        ...


def caps_after_rating(recipe: Recipe) -> bool:
    """Says whether the caps wait for the rater, as they choose by rating."""
    return caps_of(recipe) is not None and recipe.filter.caps.choose == "rating" and active_rater(recipe) is not None


def thinners(job: Job) -> dict[str, Thinner | None]:
    """Returns the thinners that a recipe asks for, by name, in order.

    The last one may move no pairs; after one that does, and where there is none at all, None gathers what stays.
    """
    settings = job.recipe.filter
    found: dict[str, Thinner | None] = {}
    moves = False
    if has_logprobs(job.recipe):
        found["Logprobs"] = Logprobs(job)
        if settings.gates.logprob is not None:
            found["LogprobGates"] = LogprobGates(job, settings.gates.logprob)
    if settings.duplicates == "drop":
        found["Queries"] = QueryDuplicates(job)
        moves = settings.near_queries.positives != "same"
    if settings.near_pairs is not None:
        found["Pairs"] = PairDuplicates(job)
        moves = True
    if caps_of(job.recipe) is not None and not caps_after_rating(job.recipe):
        found["Caps"] = PairCaps(job)
        moves = False
    if settings.uniform_tasks is not None and not _asks(job.recipe):
        found["Tasks"] = UniformTasks(job, settings.uniform_tasks.least)
        moves = False
    if not found or moves:
        found["Rest"] = None
    return found


def rated_thinners(job: Job) -> dict[str, Thinner]:
    """Returns the thinners that wait for the rater, by name, in order."""
    settings = job.recipe.filter
    found: dict[str, Thinner] = {}
    if settings.gates.rating is not None and active_rater(job.recipe) is not None:
        found["RatingGates"] = RatingGates(job, settings.gates.rating)
    if caps_after_rating(job.recipe):
        found["RatedCaps"] = PairCaps(job)
    if settings.uniform_tasks is not None and _asks(job.recipe):
        found["Tasks"] = UniformTasks(job, settings.uniform_tasks.least)
    return found


def _asks(recipe: Recipe) -> bool:
    """Says whether queries still go to a model, some of which may drop out."""
    return recipe.filter.asks and recipe.llm_of("filter") is not None
