"""Gates by source: the lowest of each source's queries go, by their writer's log-probability or the rater's grade.

values counted by block -> the cut of each source -> applied to every range of queries. Shares and no fixed values, as
different writers, models and corpora do not compare (gating per source; see also `select.gates.score_quantile`).
"""

import json
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from oreline.filters.books import drop
from oreline.filters.decided import DECISIONS, query_ranges
from oreline.filters.judged import JudgedQuery, Thinned
from oreline.filters.logprobs import logprob_source
from oreline.filters.rates import source_of
from oreline.ids import Json, bucket_of
from oreline.job import Job, StageWriter
from oreline.recipe.settings import LogprobGate, RatingGate
from oreline.records import Query
from oreline.shuffle import Reference, Scatter, gather

CUTS = ("logprob_cuts", "rating_cuts")
"""The facts that list each source with the value below which its queries go."""

_COUNTED = pa.schema([("source", pa.string()), ("value", pa.float64()), ("rows", pa.int64())])
_CUTS = pa.schema([("source", pa.string()), ("value", pa.float64())])
_SOURCE_RANGES = 64


def cut_of(values: Counter[float], below: float) -> float:
    """Returns the value below which rows go: at most a share `below` of them, equal ones together.

    `values` counts the rows of each value; there is at least one.
    """
    allowed = math.floor(below * values.total())
    rows = 0
    for value in sorted(values):
        rows += values[value]
        if rows > allowed:
            return value
    return max(values)


@dataclass(frozen=True)
class SourceGate(ABC):
    """One gate: what is measured of a query, and within what it is compared."""

    job: Job

    @property
    @abstractmethod
    def name(self) -> str:
        """The fact that states the cuts, by source."""

    @property
    @abstractmethod
    def rule(self) -> str:
        """The recipe's key, which rejects name."""

    @property
    @abstractmethod
    def below(self) -> float | None:
        """The share of each source that goes, at most; None if nothing goes by share."""

    @abstractmethod
    def value(self, query: Query) -> float | None:
        """Returns what is compared; None for a query that passes."""

    @abstractmethod
    def source(self, query: Query) -> tuple[str, ...]:
        """Returns what a query is compared within."""

    @abstractmethod
    def finding(self, value: float, cut: float | None) -> tuple[str, str] | None:
        """Returns reason and sentence of a drop, or None; `cut` is the source's."""

    def prepare(self, queries: Sequence[JudgedQuery]) -> Iterator[Reference]:
        """Yields references to the counted values of some queries, by range of sources."""
        if self.below is None:
            return
        counted: Counter[tuple[str, float]] = Counter()
        for query in (judged.query for judged in queries):
            value = self.value(query)
            if value is not None:
                counted[self._key(query), value] += 1
        rows = [(source, value, number) for (source, value), number in sorted(counted.items())]
        table = pa.table([list(column) for column in zip(*rows, strict=True)] or [[], [], []], schema=_COUNTED)
        scatter = Scatter(self.job, "values")
        yield from scatter.write([bucket_of(source, _SOURCE_RANGES) for source, *_ in rows], table)
        yield from scatter.close()

    def decide(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields references to the cuts of a range of sources, to every range of queries."""
        values: dict[str, Counter[float]] = {}
        for row in gather(keyed[1])["values"].to_pylist():
            values.setdefault(row["source"], Counter())[row["value"]] += row["rows"]
        below = self.below
        if below is None:
            return
        cuts = {source: cut_of(counted, below) for source, counted in sorted(values.items())}
        table = pa.table([list(cuts), list(cuts.values())], schema=_CUTS)
        scatter = Scatter(self.job, DECISIONS)
        for number in range(query_ranges(self.job)):
            yield from scatter.write([number] * len(cuts), table)
        yield from scatter.close()

    def apply(self, writer: StageWriter, queries: Sequence[JudgedQuery], decisions: pa.Table | None) -> Thinned:
        """Drops the queries that do not pass, and states the cuts."""
        rows = decisions.to_pylist() if decisions is not None else []
        cuts = {str(row["source"]): cast("float", row["value"]) for row in rows}
        if cuts:
            stated = [[*json.loads(source), cut] for source, cut in sorted(cuts.items())]
            writer.fact(self.name, cast("list[Json]", stated))
        kept = []
        for judged in queries:
            value = self.value(judged.query)
            found = None if value is None else self.finding(value, cuts.get(self._key(judged.query)))
            if found is None:
                kept.append(judged)
            else:
                drop(writer, judged, *found, self.rule)
        return Thinned(kept)

    def _key(self, query: Query) -> str:
        return json.dumps(self.source(query), ensure_ascii=False)


@dataclass(frozen=True)
class LogprobGates(SourceGate):
    """By the mean log-probability of the tokens that wrote the query, within dataset, writer and model."""

    settings: LogprobGate

    @property
    def name(self) -> str:
        """The fact that states the cuts."""
        return CUTS[0]

    @property
    def rule(self) -> str:
        """The recipe's key."""
        return "filter.gates.logprob"

    @property
    def below(self) -> float | None:
        """The share that goes."""
        return self.settings.below

    def value(self, query: Query) -> float | None:
        """Returns the log-probability, if it is known."""
        return query.logprob

    def source(self, query: Query) -> tuple[str, ...]:
        """Returns dataset, writer and model."""
        return logprob_source(query)

    def finding(self, value: float, cut: float | None) -> tuple[str, str] | None:
        """Finds values below the fixed least one or the source's cut."""
        least = self.settings.at_least
        if least is not None and value < least:
            return "low_logprob", f"mean log-probability {value:.4f}, filter.gates.logprob.at_least is {least:g}"
        if cut is not None and value < cut:
            share = f"the lowest {self.below:.0%} of its source go"
            return "low_logprob", f"mean log-probability {value:.4f}, below {cut:.4f}: {share}"
        return None


@dataclass(frozen=True)
class RatingGates(SourceGate):
    """By the rater's grade, within dataset and writer."""

    settings: RatingGate

    @property
    def name(self) -> str:
        """The fact that states the cuts."""
        return CUTS[1]

    @property
    def rule(self) -> str:
        """The recipe's key."""
        return "filter.gates.rating"

    @property
    def below(self) -> float | None:
        """The share that goes."""
        return self.settings.below

    def value(self, query: Query) -> float | None:
        """Returns the grade of a rated query, of a person's only if the gate is for those too."""
        if query.rating is None or (query.origin == "human" and not self.settings.human):
            return None
        return float(query.rating.grade)

    def source(self, query: Query) -> tuple[str, ...]:
        """Returns dataset and writer."""
        return query.dataset, source_of(query)

    def finding(self, value: float, cut: float | None) -> tuple[str, str] | None:
        """Finds grades below the source's cut."""
        if cut is None or value >= cut:
            return None
        return "low_rating", f"graded {value:.0f}, below {cut:.0f}: the lowest {self.below:.0%} of its source go"
