"""Reading lanes: every whole segment counts, and of an attempt that stands there twice the earlier answer."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.llm.journal.segments import NOBODY, Label, LaneFiles, Segment, lane_folder, lane_of, list_lane
from oreline.llm.requests import Answer
from oreline.tables.schema import from_arrow, row_schema

_LOG = logging.getLogger(__name__)
_LOOKS = 5

Attempts = Mapping[int, Answer]
"""The journaled attempts at one request, by their number."""


class BrokenSegment(Exception):
    """A file that is no whole segment; the text says why."""


@dataclass(frozen=True)
class LaneContents:
    """The answers of a lane by request key and attempt, the files that gave none, and how many came twice."""

    answers: dict[str, Attempts]
    broken: tuple[str, ...] = ()
    repeated: int = 0


def open_lane(cache: str, lane: int, keys: Collection[str] | None = None) -> LaneContents:
    """Returns a lane's answers, only those to `keys` if given.

    Of an attempt that stands there twice, the earlier answer counts, then that in the smaller segment name. Files that
    are no whole segments are named in the log and passed over. Raises OSError if a file cannot be read at all: to take
    it for torn would be to pay for its answers again.
    """
    folder = lane_folder(cache, lane)
    for _ in range(_LOOKS):
        try:
            return _contents(list_lane(folder), lane, keys)
        except FileNotFoundError:  # replaced by a compaction since it was listed
            continue
    raise FileNotFoundError(f"{folder}: its segments vanish while they are read; see what else writes there")


def read_lane(cache: str, lane: int, keys: Collection[str] | None = None) -> dict[str, Attempts]:
    """Returns a lane's answers by request key and attempt; see `open_lane`."""
    return open_lane(cache, lane, keys).answers


def missing(cache: str, keys: Iterable[str]) -> set[str]:
    """Returns which of some request keys have no answer in the journal: what a run would have to pay for."""
    by_lane: defaultdict[int, set[str]] = defaultdict(set)
    for key in keys:
        by_lane[lane_of(key)].add(key)
    return {key for lane, wanted in by_lane.items() for key in wanted - read_lane(cache, lane, wanted).keys()}


def read_segment(path: str, columns: Collection[str] | None = None) -> pa.Table:
    """Returns a segment's rows with all columns of an answer, or some; what an older segment lacks is null.

    Raises BrokenSegment if the file is torn or foreign, FileNotFoundError and other OSErrors if it cannot be read.
    """
    schema = row_schema(Answer)
    wanted = [each for each in schema if columns is None or each.name in columns]
    buffer = pa.BufferReader(files.read_bytes(path))
    try:
        with pq.ParquetFile(buffer) as segment:
            there = set(segment.schema_arrow.names)
            if lacking := [each.name for each in wanted if not each.nullable and each.name not in there]:
                raise BrokenSegment(f"there is no column {lacking[0]}")
            found = segment.read([each.name for each in wanted if each.name in there], use_threads=False)
        arrays = [
            found.column(each.name).cast(each.type) if each.name in there else pa.nulls(found.num_rows, each.type)
            for each in wanted
        ]
        return pa.table(arrays, schema=pa.schema(wanted))
    except (pa.ArrowException, OSError) as error:  # pyarrow raises OSError for damaged pages
        raise BrokenSegment(str(error).partition("\n")[0] or type(error).__name__) from error


def _contents(listed: LaneFiles, lane: int, keys: Collection[str] | None) -> LaneContents:
    wanted = None if keys is None else pa.array(sorted(keys), pa.string())
    broken = list(listed.foreign)
    for path in listed.foreign:
        _LOG.warning("%s: no file of the journal, passed over", path)
    tables: list[pa.Table] = []
    for segment in _readable(listed):
        try:
            table = read_segment(segment.path)
        except BrokenSegment as error:
            broken.append(segment.path)
            _LOG.warning("%s: not a whole segment of the journal, passed over (%s)", segment.path, error)
            continue
        tables.append(_chosen(table, segment.path, lane, wanted, broken))
    found: defaultdict[str, dict[int, Answer]] = defaultdict(dict)
    repeated = 0
    for answer in from_arrow(Answer, pa.concat_tables(tables)) if tables else ():
        attempts = found[answer.request_key]
        earlier = attempts.get(answer.attempt)
        repeated += earlier is not None
        if earlier is None or (answer.time or "") < (earlier.time or ""):
            attempts[answer.attempt] = answer
    if repeated:
        _LOG.warning("%s: %d attempts stand there twice, the earlier answers count", listed.folder, repeated)
    return LaneContents(dict(found), tuple(sorted(broken)), repeated)


def _readable(listed: LaneFiles) -> Iterator[Segment]:
    """Yields the segments that count, and what a torn one was to replace."""
    torn: set[str] = set()
    targets = {plan.target: plan for plan in listed.plans}
    for segment in listed.segments:
        if segment.name in targets and not is_whole(segment.path):
            torn |= targets[segment.name].sources
        yield segment
    yield from (each for each in listed.replaced if each.name in torn)


def label_of(table: pa.Table) -> Label:
    """Returns the label of a segment whose name says nothing."""
    names = ("prompt_tokens", "thinking_tokens", "output_tokens")
    tokens = sum(pc.sum(table.column(name)).as_py() or 0 for name in names)
    dollars = pc.sum(table.column("dollars")).as_py() or 0.0
    return Label(NOBODY, "unknown", table.num_rows, tokens, round(dollars * 1e9))


def is_whole(path: str) -> bool:
    """Says whether a file is a whole segment."""
    try:
        read_segment(path)
    except BrokenSegment:
        return False
    return True


def _chosen(table: pa.Table, path: str, lane: int, wanted: pa.Array | None, broken: list[str]) -> pa.Table:
    at_home = pc.equal(pc.utf8_slice_codeunits(table.column("request_key"), 0, 2), f"{lane:02x}")
    if table.num_rows and not pc.all(at_home).as_py():
        _LOG.warning("%s: holds answers of other lanes than %02x, they are passed over", path, lane)
        broken.append(path)
        table = table.filter(at_home)
    return table if wanted is None else table.filter(pc.is_in(table.column("request_key"), wanted))
