"""The journal: every answer of a model, raw, in append-only Parquet segments, by lane.

`<cache>/journal/v1/<lane, 2 hexadecimal digits>/<uuid>.parquet`; a row is an `Answer`, (request_key, attempt) its
identity. Segments are written whole and never changed. A file that is torn or was not written by us is named in the
log and passed over, never deleted.
"""

import io
import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.llm.requests import LANES, Answer
from oreline.tables.schema import from_arrow, row_schema, to_arrow

_LOG = logging.getLogger(__name__)
_TEMPORARY = ".tmp"

Attempts = Mapping[int, Answer]
"""The journaled attempts at one request, by their number."""


def lane_of(request_key: str) -> int:
    """Returns the lane of a request, 0 to 255."""
    return int(request_key[:2], 16)


def lane_folder(cache: str, lane: int) -> str:
    """Returns where a lane's segments lie; raises ValueError for a lane outside 0 to 255."""
    if not 0 <= lane < LANES:
        raise ValueError(f"lane {lane} is outside 0 to {LANES - 1}")
    return files.join(cache, "journal", "v1", f"{lane:02x}")


def append(cache: str, answers: Iterable[Answer]) -> list[str]:
    """Writes answers into new segments, one per lane they belong to, and returns the segments' paths.

    Raises OSError if that fails; what was written until then is whole.
    """
    by_lane: defaultdict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_lane[lane_of(answer.request_key)].append(answer)
    paths = []
    for lane, rows in sorted(by_lane.items()):
        buffer = io.BytesIO()
        pq.write_table(to_arrow(Answer, rows), buffer, compression="zstd")
        path = files.join(lane_folder(cache, lane), f"{uuid.uuid4().hex}.parquet")
        files.write_atomically(path, buffer.getvalue())
        paths.append(path)
    return paths


def read_lane(cache: str, lane: int, keys: Collection[str] | None = None) -> dict[str, Attempts]:
    """Returns a lane's answers by request key (only those of `keys`, if given) and attempt.

    Of an attempt that stands there twice, the earlier answer counts, then the smaller segment name.
    """
    wanted = None if keys is None else pa.array(sorted(keys), pa.string())
    found: defaultdict[str, dict[int, Answer]] = defaultdict(dict)
    for segment in files.walk(lane_folder(cache, lane)):
        if segment.path.endswith(_TEMPORARY):
            continue
        for answer in _read_segment(segment.path, lane, wanted):
            attempts = found[answer.request_key]
            earlier = attempts.get(answer.attempt)
            if earlier is None or (answer.time or "") < (earlier.time or ""):
                attempts[answer.attempt] = answer
    return dict(found)


def missing(cache: str, keys: Iterable[str]) -> set[str]:
    """Returns which of some request keys have no answer in the journal: what a run would have to pay for."""
    by_lane: defaultdict[int, set[str]] = defaultdict(set)
    for key in keys:
        by_lane[lane_of(key)].add(key)
    return {key for lane, wanted in by_lane.items() for key in wanted - read_lane(cache, lane, wanted).keys()}


def _read_segment(path: str, lane: int, wanted: pa.Array | None) -> Sequence[Answer]:
    schema = row_schema(Answer)
    try:
        with files.open_read(path) as file:
            table = pq.read_table(file).select(schema.names).cast(schema)
    except (pa.ArrowException, KeyError, OSError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        _LOG.warning("%s: not a whole segment of the journal, passed over (%s)", path, first_line)
        return []
    at_home = pc.equal(pc.utf8_slice_codeunits(table.column("request_key"), 0, 2), f"{lane:02x}")
    if not pc.all(at_home).as_py() and table.num_rows:
        _LOG.warning("%s: holds answers of other lanes than %02x, they are passed over", path, lane)
        table = table.filter(at_home)
    if wanted is not None:
        table = table.filter(pc.is_in(table.column("request_key"), wanted))
    return from_arrow(Answer, table)
