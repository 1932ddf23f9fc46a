"""The rater: an LLM's answer to "would somebody type this?", one call per query."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files, prompting
from oreline.filters.books import drop, keep
from oreline.filters.judged import JudgedQuery, join, split
from oreline.job import Job, StageWriter
from oreline.judging.answers import RATER_INPUTS, RaterAnswer
from oreline.judging.instructions import instruction_of
from oreline.llm.requests import Answered, Request, request_for
from oreline.prompting import Unusable
from oreline.recipe.settings import Rater, Recipe
from oreline.records import Query, Rating


def active_rater(recipe: Recipe) -> Rater | None:
    """Returns the rater's settings, or None if no query is rated: it is off, or there is no model."""
    return recipe.filter.rater if recipe.llm_of("filter") is not None else None


def park(job: Job, queries: Sequence[JudgedQuery]) -> bytes:
    """Writes queries with their pairs into scratch files and returns the block that `RaterTask` takes."""
    paths = [job.scratch(name) + ".parquet" for name in ("unrated-queries", "unrated-pairs")]
    _write(paths, queries)
    return json.dumps(paths).encode()


def rated(block: bytes) -> list[JudgedQuery]:
    """Returns the queries of a block that a `RaterTask` with `parks` left."""
    return _parked(_rated(block))


@dataclass(frozen=True)
class RaterTask:
    """Rates the queries of a block and writes those that stay, with their pairs; with `parks` to be read by `rated`."""

    parks: bool = False

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields a request per query that is rated: the written ones, with `rater.human` all."""
        rater, llm = active_rater(job.recipe), job.recipe.llm_of("filter")
        if rater is None or llm is None:
            raise ValueError("the rater was started without a model or settings; this is a bug in oreline")
        prompt = prompting.load(rater.prompt, RaterAnswer, RATER_INPUTS)
        for judged in _parked(block):
            query = judged.query
            if _is_rated(query, rater):
                inputs = {"instruction": instruction_of(query), "query": query.query}
                rendered, query_id = prompt.render(inputs), query.query_id
                yield request_for(llm, rendered, assigned_by=query_id, unit_ids=[query_id], context=query_id)

    def usable(self, request: Request, text: str) -> bool:  # noqa: ARG002 - part of the protocol
        """Says whether the answer holds a grade from 0 to 3."""
        return not isinstance(prompting.parse(RaterAnswer, text), Unusable)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Writes the queries with their ratings; drops those below `keep_from` and those without a usable answer."""
        rater = active_rater(job.recipe)
        by_query = {answered.request.unit_ids[0]: answered for answered in answers}
        kept = []
        for judged in _parked(block):
            answered = by_query.get(judged.query.query_id)
            rating = None if answered is None else verdict(answered)
            if isinstance(rating, Unrated):
                drop(writer, judged, rating.reason, rating.detail, rating.by)
            elif rating is not None and rater is not None and rating.grade < rater.keep_from:
                detail = f"graded {rating.grade}, filter.rater.keep_from is {rater.keep_from}: {rating.reason or '-'}"
                drop(writer, judged, "low_rate", detail, rating.request_key)
            else:
                kept.append(replace(judged, query=replace(judged.query, rating=rating)))
        if self.parks:
            _write(json.loads(_rated(block)), kept)
        else:
            keep(writer, kept)


@dataclass(frozen=True)
class Unrated:
    """Why an answer gives no rating: a reject reason, a sentence, and the request."""

    reason: str
    detail: str
    by: str


def verdict(answered: Answered) -> Rating | Unrated:
    """Returns the rating that an answer holds, or why it holds none."""
    key = answered.request.key
    if answered.reject is not None:
        return Unrated(answered.reject, answered.detail or answered.reject, key)
    parsed = prompting.parse(RaterAnswer, answered.text)
    if isinstance(parsed, Unusable):
        return Unrated(parsed.reason, parsed.detail, key)
    return Rating(parsed.grade, parsed.reason or None, answered.request.model, key)


def _is_rated(query: Query, rater: Rater) -> bool:
    return rater.human or query.origin != "human"


def _parked(block: bytes) -> list[JudgedQuery]:
    queries, pairs = (_read(path) for path in json.loads(block))
    return join(queries, pairs)


def _rated(block: bytes) -> bytes:
    """Returns the block of what stays of a block: the same wherever and however often the block is finished."""
    return json.dumps([f"{path}.rated" for path in json.loads(block)]).encode()


def _write(paths: Sequence[str], queries: Sequence[JudgedQuery]) -> None:
    for path, table in zip(paths, split(queries), strict=True):
        with files.open_write(path) as file:
            pq.write_table(table, file)


def _read(path: str) -> pa.Table:
    with files.open_read(path) as file:
        return pq.read_table(file)
