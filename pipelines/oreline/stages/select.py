"""Stage select: queries with their pairs, candidates and judgements become triples. The logic is in `selection`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.heartbeat import Heartbeat
from oreline.job import Job, StageWriter
from oreline.selection.blocks import block_queries, read_cases
from oreline.selection.cases import Rules
from oreline.selection.near_equal import NearEqual
from oreline.selection.rows import select_row
from oreline.stages.wiring import RowGroups, Spread, decode_row_group


@dataclass(eq=False)
class Select(beam.PTransform):
    """Reads documents, queries, pairs, and candidates and judgements if there are any; writes triples."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage: row groups of queries, cut into blocks, each selected by itself."""
        return (
            root
            | "ListQueries" >> RowGroups(self.job, ("queries",))
            | "CutBlocks" >> beam.FlatMap(CutBlocks(self.job)).with_output_types(bytes)
            | "SpreadBlocks" >> Spread()
            | "SelectRows" >> beam.ParDo(SelectRows(self.job)).with_output_types(bytes)
        )


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

    def process(self, block: bytes) -> Iterator[bytes]:
        """Yields the block's report."""
        writer = StageWriter(self._job)
        problem = _problem(self._job)
        if problem is not None:
            yield writer.close(failure="nothing_to_select_from", message=problem).encode()
            return
        if self._job.stop_requested():
            yield writer.close(stopped="interrupted", message="select was stopped; it starts over").encode()
            return
        reference, start, rows = json.loads(block)
        queries = self._job.read(decode_row_group(reference.encode())).slice(start, rows)
        rules = Rules.of(self._job.recipe)
        near_equal = NearEqual(rules.select.near_equal)
        heartbeat = Heartbeat(self._job)
        for case in read_cases(self._job, queries):
            selected = select_row(case, rules, near_equal)
            if selected.triple is not None:
                writer.kept([case.query.query_id])
                writer.rows("triples", [selected.triple])
            elif selected.reject is not None:
                writer.dropped(case.query.query_id, selected.reject)
            for name, number in selected.counts.items():
                if number:
                    writer.count(name, number)
            heartbeat.add(1)
        heartbeat.flush()
        yield writer.close().encode()


def _problem(job: Job) -> str | None:
    """Returns what the settings need and the earlier stages did not make; or None."""
    if job.recipe.select.negatives and "candidates" not in job.inputs:
        return "select.negatives asks for negatives, but mine made no candidates; run mine first or set it to 0"
    if job.recipe.select.pick == "lowest_ranked" and job.recipe.select.negatives and "judgements" not in job.inputs:
        return "select.pick: lowest_ranked needs judged candidates, but judge did not run; use hardest or random"
    return None
