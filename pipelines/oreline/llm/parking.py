"""Answers that wait in scratch files for the next round of calls about the same blocks."""

import hashlib
import io
import json
from collections.abc import Sequence

import pyarrow.parquet as pq

from oreline import files
from oreline.job import Job
from oreline.llm.requests import Answered
from oreline.llm.rows import AnsweredRow
from oreline.tables.schema import from_arrow, to_arrow


def park(job: Job, block: bytes, number: int, answers: Sequence[Answered]) -> None:
    """Keeps the answers of a block in a round, numbered from 0, until the stage is done; again replaces them."""
    rows = [AnsweredRow(block.hex(), place, answered) for place, answered in enumerate(answers)]
    buffer = io.BytesIO()
    pq.write_table(to_arrow(AnsweredRow, rows), buffer)
    files.write_atomically(_path(job, block, number), buffer.getvalue())


def parked(job: Job, block: bytes, number: int) -> list[Answered]:
    """Returns what `park` kept, in its order; raises FileNotFoundError if the round did not finish the block."""
    table = pq.read_table(io.BytesIO(files.read_bytes(_path(job, block, number))))
    return [row.answered for row in sorted(from_arrow(AnsweredRow, table), key=lambda row: row.place)]


def _path(job: Job, block: bytes, number: int) -> str:
    # Named by the block alone, so that a repeated bundle writes the same file and the next round finds it.
    name = hashlib.sha256(json.dumps([number, block.hex()]).encode()).hexdigest()
    return files.join(job.output, job.stage, "_scratch", f"answers-{name[:32]}.parquet")
