"""Log-probabilities: each written query gets that of its tokens, read from the journal once per lane."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import pyarrow as pa

from oreline.filters.decided import about, to_queries
from oreline.filters.judged import JudgedQuery, Thinned
from oreline.filters.rates import source_of
from oreline.filters.tokens import query_logprob
from oreline.job import Job, StageWriter
from oreline.llm import journal
from oreline.recipe.settings import Recipe
from oreline.records import Query
from oreline.shuffle import Reference, Scatter, gather
from oreline.stages.catalog import model_of

HISTOGRAM = "logprobs"
"""The fact with the numbers of queries by dataset, writer, model, and mean log-probability cut down to tenths."""

_ROWS = pa.schema([("row", pa.string()), ("request_key", pa.string()), ("attempt", pa.int64()), ("query", pa.string())])
_FOUND = pa.schema([("row", pa.string()), ("logprob", pa.float64())])
_KEYS_AT_ONCE = 10_000
_LOWEST = -10.0


def has_logprobs(recipe: Recipe) -> bool:
    """Says whether written queries may have log-probabilities: synthesize asks a model, with `logprobs`."""
    llm = model_of(recipe, "synthesize")
    return llm is not None and any(each.logprobs for each in llm.members())


@dataclass(frozen=True)
class Logprobs:
    """The log-probabilities of one job's queries; none goes. What the journal does not have is counted."""

    job: Job

    def prepare(self, queries: Sequence[JudgedQuery]) -> Iterator[Reference]:
        """Yields references to the requests that queries came from, by lane of the journal."""
        rows = []
        for query in (judged.query for judged in queries):
            lineage = query.lineage
            if lineage is not None and lineage.request_key is not None and lineage.attempt is not None:
                rows.append((query.query_id, lineage.request_key, lineage.attempt, query.query))
        table = pa.table([list(column) for column in zip(*rows, strict=True)] or [[], [], [], []], schema=_ROWS)
        scatter = Scatter(self.job, "requests")
        yield from scatter.write([journal.lane_of(key) for _, key, *_ in rows], table)
        yield from scatter.close()

    def decide(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields references to the log-probabilities that a lane has, by range of queries."""
        rows = gather(keyed[1])["requests"].sort_by("request_key").to_pylist()
        for start in range(0, len(rows), _KEYS_AT_ONCE):
            if self.job.stop_requested():
                return
            some = rows[start : start + _KEYS_AT_ONCE]
            keys = {str(row["request_key"]) for row in some}
            answers = journal.read_lane(self.job.recipe.cache_folder, keyed[0], keys)
            values = [(str(row["row"]), _logprob_of(answers, row)) for row in some]
            found = [(query_id, value) for query_id, value in values if value is not None]
            columns = [list(column) for column in zip(*found, strict=True)] or [[], []]
            yield from to_queries(self.job, pa.table(columns, schema=_FOUND), [query_id for query_id, _ in found])

    def apply(self, writer: StageWriter, queries: Sequence[JudgedQuery], decisions: pa.Table | None) -> Thinned:
        """Returns all queries, those whose log-probability is known with it."""
        ids = [judged.query.query_id for judged in queries]
        known = {row["row"]: row["logprob"] for row in about(decisions, ids, _FOUND).to_pylist()}
        kept = []
        for judged in queries:
            query = replace(judged.query, logprob=known.get(judged.query.query_id))
            if query.logprob is not None:
                writer.tally(HISTOGRAM, *logprob_source(query), _bin(query.logprob))
            elif query.lineage is not None and query.lineage.request_key is not None:
                writer.count("without_logprob")
            kept.append(replace(judged, query=query))
        return Thinned(kept)


def logprob_source(query: Query) -> tuple[str, str, str]:
    """Returns what log-probabilities may be compared within: dataset, writer and model."""
    model = query.lineage.model if query.lineage is not None else None
    return query.dataset, source_of(query), model or "-"


def _logprob_of(answers: Mapping[str, journal.Attempts], row: Mapping[str, object]) -> float | None:
    answer = answers.get(str(row["request_key"]), {}).get(cast("int", row["attempt"]))
    if answer is None or not answer.logprobs:
        return None
    return query_logprob(answer.text, answer.logprobs, str(row["query"]))


def _bin(logprob: float) -> str:
    return f"{max(_LOWEST, (logprob * 10 // 1) / 10):.1f}"
