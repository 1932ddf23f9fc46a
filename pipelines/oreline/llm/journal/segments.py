"""The files of the journal: what a segment's name says, and which of a lane's segments count.

A segment is called `<owner>-<stage>-<answers>-<tokens>-<nanodollars>-<uuid>.parquet`; `owner` is the id of the output
that paid (see `llm.ownership`). One that is called otherwise, `<uuid>.parquet` say, is read like any other, but says
nothing about its money. `<uuid>.compaction` is a plan to replace segments by one (see `compaction`).
"""

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from oreline import files
from oreline.llm.requests import LANES, Answer

NOBODY = "0" * 12
"""The owner of answers whose payer is not known."""

SEGMENT = ".parquet"
PLAN = ".compaction"
TEMPORARY = ".tmp"
MARK = "journal.json"
"""Lies beside the lanes: where it is gone, so is the journal."""

_NAME = re.compile(r"([0-9a-f]{12})-([a-z_]+)-(\d+)-(\d+)-(\d+)-[0-9a-f]{32}\.parquet")
_LANE = re.compile(r"[0-9a-f]{2}")
_LOOKS = 50
_PAUSE_SECONDS = 0.02
"""How often a lane is listed while others change its files, and how long is waited between: a second in all."""


@dataclass(frozen=True)
class Label:
    """What a segment's name says: whose answers these are, how many, their prompt and output tokens, their price.

    Dollars stand in billionths, so that sums are exact; an answer whose price was not known counts as 0.
    """

    owner: str
    stage: str
    rows: int = 0
    tokens: int = 0
    nanodollars: int = 0

    @classmethod
    def of(cls, owner: str, stage: str, answers: Sequence[Answer]) -> "Label":
        """Returns the label of answers."""
        dollars = sum(each.dollars or 0.0 for each in answers)
        return cls(owner, stage, len(answers), sum(each.billed_tokens for each in answers), round(dollars * 1e9))

    @classmethod
    def parse(cls, name: str) -> "Label | None":
        """Returns what a file's name says, or None if it is no segment's or says nothing."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        owner, stage, *numbers = found.groups()
        return cls(owner, stage, *(int(each) for each in numbers))

    def __add__(self, other: "Label") -> "Label":
        return Label(
            self.owner,
            self.stage,
            self.rows + other.rows,
            self.tokens + other.tokens,
            self.nanodollars + other.nanodollars,
        )

    def file_name(self, unique: str) -> str:
        """Returns the name of a segment; `unique` is 32 hexadecimal digits."""
        return f"{self.owner}-{self.stage}-{self.rows}-{self.tokens}-{self.nanodollars}-{unique}{SEGMENT}"


@dataclass(frozen=True)
class Segment:
    """A segment on disk, with its size in bytes."""

    path: str
    size: int
    label: Label | None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Plan:
    """A compaction that was begun: the segment `target` replaces the segments `sources`, once it is there."""

    path: str
    target: str
    sources: frozenset[str]

    def encode(self) -> bytes:
        """Returns the file's contents."""
        return json.dumps({"target": self.target, "sources": sorted(self.sources)}).encode()


@dataclass(frozen=True)
class LaneFiles:
    """What lies in a lane's folder: the segments that count, those that a compaction has replaced, and the rest."""

    folder: str
    segments: tuple[Segment, ...] = ()
    replaced: tuple[Segment, ...] = ()
    plans: tuple[Plan, ...] = ()
    temporary: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def lane(self) -> int:
        """The lane's number."""
        return int(self.folder.rpartition("/")[2], 16)


def lane_of(request_key: str) -> int:
    """Returns the lane of a request, 0 to 255."""
    return int(request_key[:2], 16)


def journal_folder(cache: str) -> str:
    """Returns where the lanes lie."""
    return files.join(cache, "journal", "v1")


def lane_folder(cache: str, lane: int) -> str:
    """Returns where a lane's segments lie; raises ValueError for a lane outside 0 to 255."""
    if not 0 <= lane < LANES:
        raise ValueError(f"lane {lane} is outside 0 to {LANES - 1}")
    return files.join(journal_folder(cache), f"{lane:02x}")


def list_lane(folder: str) -> LaneFiles:
    """Returns what lies in a lane's folder, as of now."""
    return _sorted_out(folder, _listed(folder))


def list_lanes(path: str) -> Iterator[LaneFiles]:
    """Yields the lanes that have files, by number; `path` is a journal, a version folder or a lane.

    A file elsewhere below `path` is in the `foreign` of its own folder.
    """
    if files.is_local(path):
        for folder, below, names in os.walk(path):
            below.sort()
            if _LANE.fullmatch(os.path.basename(folder)):
                if names:
                    yield list_lane(folder)
            elif foreign := _foreign(f"{folder}/{name}" for name in sorted(names)):
                yield LaneFiles(folder, foreign=foreign)
        return
    for folder, found in groupby(files.walk(path), key=lambda each: each.path.rpartition("/")[0]):
        if _LANE.fullmatch(folder.rpartition("/")[2]):
            yield _sorted_out(folder, found)
        elif foreign := _foreign(each.path for each in found):
            yield LaneFiles(folder, foreign=foreign)


def _foreign(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if not path.endswith((f"/{MARK}", TEMPORARY)))


def _listed(folder: str) -> list[files.FileInfo]:
    """Returns a lane's files; where a segment vanishes meanwhile, another process has merged it: it looks again.

    What was listed then would hold neither the merged segments nor the one that replaces them.
    """
    if not files.is_local(folder):
        return list(files.walk(folder))
    for _ in range(_LOOKS):
        found = []
        try:
            for name in sorted(os.listdir(folder)):
                path = f"{folder}/{name}"
                try:
                    if not os.path.isdir(path):
                        found.append(files.info(path))
                except FileNotFoundError:
                    if name.endswith(SEGMENT):
                        raise
        except FileNotFoundError:
            if not os.path.isdir(folder):
                return []
            time.sleep(_PAUSE_SECONDS)
            continue
        return found
    raise _restless(folder)


def _sorted_out(folder: str, found: Iterable[files.FileInfo]) -> LaneFiles:
    listed = list(found)
    for _ in range(_LOOKS):
        try:
            return _by_kind(folder, listed)
        except FileNotFoundError:  # another process has just finished a compaction
            time.sleep(_PAUSE_SECONDS)
            listed = _listed(folder)
    raise _restless(folder)


def _restless(folder: str) -> FileNotFoundError:
    return FileNotFoundError(f"{folder}: its files change faster than they can be listed; see what else writes there")


def _by_kind(folder: str, listed: Sequence[files.FileInfo]) -> LaneFiles:
    segments, plans, temporary, foreign = [], [], [], []
    for each in listed:
        name = each.path.rpartition("/")[2]
        if name.endswith(SEGMENT):
            segments.append(Segment(each.path, each.size, Label.parse(name)))
        elif name.endswith(TEMPORARY):
            temporary.append(each.path)
        elif name.endswith(PLAN) and (plan := _read_plan(each.path)) is not None:
            plans.append(plan)
        else:
            foreign.append(each.path)
    there = {segment.name for segment in segments}
    gone = {name for plan in plans if plan.target in there for name in plan.sources}
    return LaneFiles(
        folder,
        tuple(each for each in segments if each.name not in gone),
        tuple(each for each in segments if each.name in gone),
        tuple(plans),
        tuple(temporary),
        tuple(foreign),
    )


def _read_plan(path: str) -> Plan | None:
    try:
        body = json.loads(files.read_bytes(path))
        return Plan(path, str(body["target"]), frozenset(str(name) for name in body["sources"]))
    except (ValueError, KeyError, TypeError):
        return None
