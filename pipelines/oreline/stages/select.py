"""Stage select: queries with their pairs, candidates and judgements become triples. The logic is in `selection`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa

from oreline.heartbeat import Heartbeat
from oreline.job import Job, StageWriter
from oreline.records import Query, Triple
from oreline.selection import rates
from oreline.selection.aside import REPORT, put_aside
from oreline.selection.blocks import block_queries, read_cases
from oreline.selection.cases import Rules
from oreline.selection.near_equal import NearEqual
from oreline.selection.rows import select_row
from oreline.selection.small import small_corpora
from oreline.stages.quantiles import DropLow
from oreline.stages.wiring import RowGroups, Spread, decode_row_group


@dataclass(eq=False)
class Select(beam.PTransform):
    """Reads documents, queries, pairs, and candidates, judgements and vectors if there are any; writes triples."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage: row groups of queries, cut into blocks, each selected by itself; low and near rows go."""
        selected = (
            root
            | "ListQueries" >> RowGroups(self.job, ("queries",))
            | "CutBlocks" >> beam.FlatMap(CutBlocks(self.job)).with_output_types(bytes)
            | "SpreadBlocks" >> Spread()
            | "SelectRows" >> beam.ParDo(SelectRows(self.job)).with_output_types(tuple[int, bytes])
        )
        if self.job.recipe.select.gates.score_quantile is not None:
            selected |= "DropLow" >> DropLow(self.job)
        reports = selected | "Reports" >> beam.FlatMap(reports_of).with_output_types(bytes)
        if self.job.recipe.select.near_queries is None:
            return reports
        from oreline.stages.near_queries import DropNear  # it needs torch, which rows without this rule do not

        return (reports, selected | "DropNear" >> DropNear(self.job)) | "AllReports" >> beam.Flatten()


def reports_of(keyed: tuple[int, bytes]) -> Iterator[bytes]:
    """Yields a report, nothing for a reference to rows that were put aside."""
    if keyed[0] == REPORT:
        yield keyed[1]


@dataclass(frozen=True)
class CutBlocks:
    """From a row group of queries to its blocks: JSON [reference, first row, rows]."""

    job: Job

    def __call__(self, reference: bytes) -> Iterator[bytes]:
        """Yields the blocks."""
        rows = block_queries(self.job)
        for start in range(0, decode_row_group(reference).rows, rows):
            yield json.dumps([reference.decode(), start, rows]).encode()


class SelectRows(beam.DoFn):
    """Selects the rows of a block of queries, writes them, and reports."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._small: dict[str, int] | None = None

    def _small_corpora(self) -> dict[str, int]:
        if self._small is None:
            self._small = small_corpora(self._job)
        return self._small

    def process(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields the block's report; where rows wait for a later rule, references to them by scope, too."""
        writer = StageWriter(self._job)
        problem = _problem(self._job)
        if problem is not None:
            yield REPORT, writer.close(failure="nothing_to_select_from", message=problem).encode()
            return
        if self._job.stop_requested():
            yield REPORT, writer.close(stopped="interrupted", message="select was stopped; it starts over").encode()
            return
        reference, start, rows = json.loads(block)
        queries = self._job.read(decode_row_group(reference.encode())).slice(start, rows)
        rows = self._rows(queries, writer)
        if small := self._small_corpora():
            writer.fact("round_trip_small_corpora", dict(small))
        select = self._job.recipe.select
        if select.near_queries is None and select.gates.score_quantile is None:
            writer.kept(query.query_id for query, _ in rows)
            writer.rows("triples", [triple for _, triple in rows])
        else:
            for piece in put_aside(self._job, rows):
                yield piece.key, piece.encode()
        yield REPORT, writer.close().encode()

    def _rows(self, queries: pa.Table, writer: StageWriter) -> list[tuple[Query, Triple]]:
        """Returns the selected rows of some queries; the others are dropped."""
        rules = Rules.of(self._job.recipe)
        near_equal = NearEqual(rules.select.near_equal)
        heartbeat = Heartbeat(self._job)
        rows: list[tuple[Query, Triple]] = []
        for case in read_cases(self._job, queries):
            selected = select_row(case, rules, near_equal)
            if selected.triple is not None:
                rows.append((case.query, selected.triple))
            elif selected.reject is not None:
                writer.dropped(case.query.query_id, selected.reject)
            for name, number in selected.counts.items():
                if number:
                    writer.count(name, number)
            happened: list[rates.Event] = ["in"]
            happened += ["dropped"] if selected.reject is not None else []
            happened += ["relabelled"] if selected.counts["relabelled"] else []
            rates.tally(writer, case.query.dataset, case.query.task_type, case.query.lang, *happened)
            heartbeat.add(1)
        heartbeat.flush()
        return rows


def _problem(job: Job) -> str | None:
    """Returns what the settings need and the earlier stages did not make; or None."""
    if job.recipe.select.negatives and "candidates" not in job.inputs:
        return "select.negatives asks for negatives, but mine made no candidates; run mine first or set it to 0"
    if job.recipe.select.pick == "lowest_ranked" and job.recipe.select.negatives and "judgements" not in job.inputs:
        return "select.pick: lowest_ranked needs judged candidates, but judge did not run; use hardest or random"
    if job.recipe.select.near_queries is not None and "vectors" not in job.inputs:
        return "select.near_queries compares vectors, but embed made none; run embed first, or leave the key out"
    return None
