"""How requests and their answers lie in scratch files between the steps of an LLM stage."""

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from oreline.job import Job, StageWriter
from oreline.llm.requests import Answered, Request
from oreline.llm.task import Task
from oreline.shuffle import Reference, Scatter, gather
from oreline.tables.schema import dictionary, from_arrow, row_schema, to_arrow

REQUESTS = "requests"
ANSWERED = "answered"
_BUFFER_ROWS = 512

_SHARED = frozenset({"prompt_id", "model", "system", "answer_schema", "settings"})


@dataclass(frozen=True)
class RequestRow:
    """A request with the block that rendered it (hexadecimal) and its place in there, from 0."""

    block: str
    place: int
    request: Request


@dataclass(frozen=True)
class AnsweredRow:
    """What came of the request at a place of a block."""

    block: str
    place: int
    answered: Answered


def block_key(block: bytes) -> int:
    """Returns the key, below 2**63, under which a block meets its answers; blocks of equal keys are told apart."""
    return int.from_bytes(hashlib.blake2b(block, digest_size=8).digest(), "big") >> 1


def encode_block(block: bytes, requests: int) -> bytes:
    """Returns a block with the number of its requests as it crosses an edge beside its answers' references."""
    return json.dumps({"block": block.hex(), "requests": requests}).encode()


def render(job: Job, task: Task, block: bytes, scatter: Scatter) -> Generator[Reference, None, int]:
    """Writes a block's requests, keyed by lane, yields references, and returns how many requests there are."""
    count = 0
    rows: list[RequestRow] = []
    for request in task.render(job, block):
        rows.append(RequestRow(block.hex(), count, request))
        count += 1
        if len(rows) == _BUFFER_ROWS:
            yield from _scatter_requests(rows, scatter)
            rows = []
    yield from _scatter_requests(rows, scatter)
    return count


def _scatter_requests(rows: list[RequestRow], scatter: Scatter) -> Iterator[Reference]:
    if rows:
        yield from scatter.write([row.request.lane for row in rows], _request_table(rows))


def read_requests(references: Iterable[bytes]) -> list[RequestRow]:
    """Returns the request rows behind references, ordered by key, block and place."""
    table = gather(references).get(REQUESTS)
    if table is None:
        return []
    found = zip(from_arrow(_Place, table), from_arrow(Request, table), strict=True)
    rows = [RequestRow(place.block, place.place, request) for place, request in found]
    return sorted(rows, key=lambda row: (row.request.key, row.block, row.place))


@dataclass(frozen=True)
class _Place:
    """Where a request was rendered, as columns beside its own."""

    block: str
    place: int


def _request_table(rows: Sequence[RequestRow]) -> pa.Table:
    """Returns requests as a table in which what most of them share stands once: it is nine tenths of their length."""
    columns: dict[str, pa.Array] = {
        "block": dictionary([row.block for row in rows]),
        "place": pa.array([row.place for row in rows], pa.int64()),
    }
    for field in row_schema(Request):
        values = [getattr(row.request, field.name) for row in rows]
        columns[field.name] = dictionary(values) if field.name in _SHARED else pa.array(values, field.type)
    return pa.table(columns)


class AnsweredScatter:
    """Writes answered rows in blocks, keyed by `block_key`."""

    def __init__(self, job: Job) -> None:
        self._scatter = Scatter(job, ANSWERED)
        self._rows: list[AnsweredRow] = []

    def write(self, row: AnsweredRow) -> Iterator[Reference]:
        """Takes a row; yields references once enough is waiting."""
        self._rows.append(row)
        if len(self._rows) >= _BUFFER_ROWS:
            yield from self._flush()

    def close(self) -> Iterator[Reference]:
        """Writes what is waiting and yields its references."""
        yield from self._flush()
        yield from self._scatter.close()

    def _flush(self) -> Iterator[Reference]:
        rows, self._rows = self._rows, []
        if rows:
            keys = [block_key(bytes.fromhex(row.block)) for row in rows]
            yield from self._scatter.write(keys, to_arrow(AnsweredRow, rows))


def finish(job: Job, task: Task, values: Iterable[bytes]) -> Iterator[bytes]:
    """Finishes the blocks of one key and yields their encoded reports.

    `values` are encoded blocks and references to answered rows. A block that lacks answers, since the run stopped
    before they came, is left for the next run.
    """
    blocks: dict[str, int] = {}
    references = []
    for value in values:
        if value.startswith(b"{"):
            body = json.loads(value)
            blocks[body["block"]] = body["requests"]
        else:
            references.append(value)
    found: dict[str, list[AnsweredRow]] = {block: [] for block in blocks}
    table = gather(references).get(ANSWERED, row_schema(AnsweredRow).empty_table())
    for row in from_arrow(AnsweredRow, table):
        found[row.block].append(row)
    for block, requests in sorted(blocks.items()):
        rows = sorted(found[block], key=lambda row: row.place)
        if len(rows) == requests:
            yield _finish_block(job, task, bytes.fromhex(block), [row.answered for row in rows])


def _finish_block(job: Job, task: Task, block: bytes, answers: list[Answered]) -> bytes:
    writer = StageWriter(job)
    if job.stop_requested():
        message = "stopped; every answer is in the journal, run again to go on"
        return writer.close(stopped="interrupted", message=message).encode()
    writer.count("answers", sum(each.reject is None for each in answers))
    writer.count("answer_rejects", sum(each.reject is not None for each in answers))
    task.finish(job, block, answers, writer)
    return writer.close().encode()
