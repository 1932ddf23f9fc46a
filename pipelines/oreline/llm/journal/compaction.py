"""Compaction: many small segments become one, and at every moment the same answers count, with the same money.

A plan is written first: it names the new segment and those that it replaces. Once the new segment is there, readers
pass over the replaced ones; until then the plan says nothing. So a crash between any two steps loses nothing and counts
nothing twice, and the next run, under the cache's lock, ends what was begun (`settle`). Two processes never compact one
lane: each looks again after writing its plan, and gives way to any other.
"""

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

import pyarrow as pa

from oreline import files
from oreline.llm.journal.reading import BrokenSegment, is_whole, label_of, read_segment
from oreline.llm.journal.segments import (
    NOBODY,
    PLAN,
    Label,
    LaneFiles,
    Plan,
    Segment,
    journal_folder,
    list_lane,
    list_lanes,
)
from oreline.llm.journal.writing import segment_bytes, write_whole

_LOG = logging.getLogger(__name__)

FEWEST = 16
"""So many segments of about one size are merged: an answer is then rewritten once per power of 16."""

_LARGEST_ROWS = 16**3
_LARGEST_BYTES = 16 * 2**20
_UNKNOWN_ROWS = 1


def due(listed: LaneFiles) -> list[tuple[Segment, ...]]:
    """Returns the groups of a lane's segments that are worth merging: of one owner, stage and order of size."""
    groups: defaultdict[tuple[str, str, int], list[Segment]] = defaultdict(list)
    for each in listed.segments:
        label = each.label or Label(NOBODY, "unknown", _UNKNOWN_ROWS)
        if label.rows < _LARGEST_ROWS and each.size * FEWEST <= _LARGEST_BYTES * 2:
            groups[label.owner, label.stage, _order(label.rows)].append(each)
    return [tuple(group) for _, group in sorted(groups.items()) if len(group) >= FEWEST]


def compact(folder: str) -> int:
    """Merges what is due in a lane; returns how many segments were replaced.

    Nothing is done while a plan lies there: another process is at work, or was until it was killed. Raises OSError if
    the disk does not take the merged segment; all answers are there nevertheless.
    """
    replaced = 0
    listed = list_lane(folder)
    if listed.plans:
        return 0
    for group in due(listed):
        for sources in _portions(group):
            try:
                replaced += _merge(folder, sources)
            except FileNotFoundError:  # another process has merged them meanwhile
                return replaced
    return replaced


def settle(cache: str) -> int:
    """Ends the compactions that a killed process left, and deletes its unfinished files; returns their number.

    To be called under the cache's lock, while nobody writes there.
    """
    settled = 0
    for listed in list_lanes(journal_folder(cache)):
        for path in listed.temporary:
            files.delete(path)
        for plan in listed.plans:
            _settle(listed, plan)
            settled += 1
    return settled


def _settle(listed: LaneFiles, plan: Plan) -> None:
    target = files.join(listed.folder, plan.target)
    if files.exists(target):
        if is_whole(target):
            _delete(files.join(listed.folder, name) for name in plan.sources)
        else:
            _LOG.warning("%s: a merged segment was cut short; it is deleted, what it replaces is there", target)
            files.delete(target)
    files.delete(plan.path)


def _merge(folder: str, candidates: Sequence[Segment]) -> int:
    sources, tables, label = [], [], None
    for each in candidates:
        try:
            table = read_segment(each.path)
        except BrokenSegment:  # stays where it is, for whoever looks after it
            continue
        own = each.label or label_of(table)
        label = own if label is None else label + own
        sources.append(each)
        tables.append(table)
    if label is None or len(sources) < 2:
        return 0
    target = label.file_name(uuid.uuid4().hex)
    names = frozenset(each.name for each in sources)
    plan = Plan(files.join(folder, f"{uuid.uuid4().hex}{PLAN}"), target, names)
    write_whole(plan.path, plan.encode())
    now = list_lane(folder)
    if [each.path for each in now.plans] != [plan.path] or not names <= {each.name for each in now.segments}:
        files.delete(plan.path)
        return 0
    _write_safely(files.join(folder, target), segment_bytes(pa.concat_tables(tables).combine_chunks()))
    _delete(each.path for each in sources)
    files.delete(plan.path)
    return len(sources)


def _write_safely(path: str, contents: bytes) -> None:
    """Writes a segment and makes sure that it is there, since others are deleted for it."""
    write_whole(path, contents)
    if files.read_bytes(path) != contents:
        files.delete(path)
        raise OSError(
            f"{path}: the disk gave back something else than was written, {len(contents):,} bytes that merge small "
            "segments; it was deleted, and those segments are kept: check that disk, or move the cache to another"
        )


def _delete(paths: Iterable[str]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            files.delete(path)


def _portions(group: Sequence[Segment]) -> list[list[Segment]]:
    """Cuts a group where it would grow beyond what is held in memory."""
    portions: list[list[Segment]] = [[]]
    size = 0
    for each in group:
        if size + each.size > _LARGEST_BYTES and portions[-1]:
            portions.append([])
            size = 0
        portions[-1].append(each)
        size += each.size
    return portions


def _order(rows: int) -> int:
    """Returns the power of 16 that a number of rows lies above."""
    return (max(rows, 1).bit_length() - 1) // 4
