"""The journal counted: what was asked, of which model, how it ended and what it cost; or the answers to one request."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE_HEAD
from rich.table import Table

from oreline.errors import CallError
from oreline.ids import Json
from oreline.llm.journal.reading import BrokenSegment, read_lane, read_segment
from oreline.llm.journal.segments import LaneFiles, Segment, lane_of, list_lanes
from oreline.reports.plain import Report, visible, words
from oreline.reports.rows import json_line, row_card, value_line
from oreline.tables.schema import to_arrow

_KEY = ("stage", "prompt_id", "prompt_version", "model", "status")
_TOKENS = ("prompt_tokens", "cached_tokens", "thinking_tokens", "output_tokens")
_COLUMNS = ("request_key", *_KEY, *_TOKENS, "attempt", "dollars", "time")
_BROKEN_SHOWN = 20


@dataclass
class _Sums:
    """What is summed over the answers of one stage, prompt, model and status."""

    answers: int = 0
    asked_again: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    dollars: float = 0.0

    def to_json(self) -> dict[str, Json]:
        tokens = {name: self.tokens[name] for name in _TOKENS}
        return {"answers": self.answers, "asked_again": self.asked_again, **tokens, "dollars": round(self.dollars, 9)}


@dataclass
class _Journal:
    """A journal counted, segment by segment: nothing is held but sums and the names of broken files."""

    sums: dict[tuple[str, ...], _Sums] = field(default_factory=dict)
    payers: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    segments: int = 0
    size: int = 0
    first: str | None = None
    last: str | None = None

    @property
    def answers(self) -> int:
        return sum(each.answers for each in self.sums.values())

    @property
    def dollars(self) -> float:
        return sum(each.dollars for each in self.sums.values())

    def take_lane(self, listed: LaneFiles) -> None:
        self.broken.extend(listed.foreign)
        for segment in listed.segments:
            self._take(segment)

    def _take(self, segment: Segment) -> None:
        try:
            table = read_segment(segment.path, _COLUMNS)
        except BrokenSegment:
            self.broken.append(segment.path)
            return
        except FileNotFoundError:  # a run that goes on meanwhile has merged it
            return
        self.segments += 1
        self.size += segment.size
        if segment.label is not None:
            self.payers[segment.label.owner] += segment.label.nanodollars
        times = pc.min_max(table.column("time")).as_py()
        self.first = min(filter(None, (self.first, times["min"])), default=None)
        self.last = max(filter(None, (self.last, times["max"])), default=None)
        again = pc.cast(pc.greater(table.column("attempt"), 0), pa.int64())
        names = (*_TOKENS, "dollars", "again")
        grouped = table.append_column("again", again).group_by(list(_KEY), use_threads=False)
        for row in grouped.aggregate([*((name, "sum") for name in names), ("attempt", "count")]).to_pylist():
            entry = self.sums.setdefault(tuple("" if row[name] is None else str(row[name]) for name in _KEY), _Sums())
            entry.answers += row["attempt_count"]
            entry.asked_again += row["again_sum"] or 0
            entry.dollars += row["dollars_sum"] or 0.0
            entry.tokens.update({name: row[f"{name}_sum"] or 0 for name in _TOKENS})


def journal_report(path: str, *, as_json: bool) -> Report:
    """Returns answers, tokens and money by stage, prompt, model and status.

    `path` is a journal, a version folder or a lane of it. Files that are no whole segments are named, not counted.
    Raises OSError if a segment cannot be read at all.
    """
    found = _Journal()
    for listed in list_lanes(path):
        found.take_lane(listed)
    if as_json:
        lines: list[Json] = [dict(_entry(key, entry)) for key, entry in sorted(found.sums.items())]
        return [value_line(line) for line in [*lines, _whole(found)]]
    report: Report = [words(_heading(found))]
    report += [words(line, "dim") for line in (*_shares(found.sums), *_payers(found.payers))]
    report += [words(f"not a whole segment: {visible(each)}", "yellow") for each in found.broken[:_BROKEN_SHOWN]]
    if len(found.broken) > _BROKEN_SHOWN:
        report.append(words(f"and {len(found.broken) - _BROKEN_SHOWN:,} more; --json names them all", "yellow"))
    return [*report, _table(found.sums)] if found.sums else report


def answers_report(path: str, *, as_json: bool) -> Report:
    """Returns every attempt at one request: `path` is a journal's with the request's key behind it.

    Raises CallError if the journal has no answer to it.
    """
    journal, _, key = path.rpartition("/")
    cache = journal.removesuffix("/v1").removesuffix("/journal")
    attempts = read_lane(cache, lane_of(key), [key]).get(key, {})
    if not attempts:
        raise CallError(f"{path}: the journal has no answer to this request")
    rows = to_arrow(type(next(iter(attempts.values()))), [attempts[number] for number in sorted(attempts)]).to_pylist()
    return [json_line(row) if as_json else row_card(row, "request_key") for row in rows]


def _heading(found: _Journal) -> str:
    told = f"{found.segments:,} segments, {found.answers:,} answers, {found.size:,} bytes"
    money = f", {found.dollars:.4f} dollars" if found.dollars else ""
    return told + money + (f", from {found.first} to {found.last}" if found.first else "")


def _shares(sums: dict[tuple[str, ...], _Sums]) -> Iterable[str]:
    """Yields for each stage which shares of its answers came to nothing."""
    for stage in sorted({key[0] for key in sums}):
        own = {key: entry for key, entry in sums.items() if key[0] == stage}
        answers = sum(each.answers for each in own.values())
        status: Counter[str] = Counter()
        for key, entry in own.items():
            status[key[-1]] += entry.answers
        parts = [f"{number / answers:.1%} {name}" for name, number in sorted(status.items()) if name != "ok"]
        again = sum(each.asked_again for each in own.values())
        parts += [f"{again / answers:.1%} asked again after an answer that was of no use"] if again else []
        money = sum(each.dollars for each in own.values())
        yield f"{visible(stage)}: {answers:,} answers, {money:.4f} dollars" + "".join(f", {each}" for each in parts)


def _payers(payers: Counter[str]) -> Iterable[str]:
    if len(payers) > 1:
        yield from (f"output {owner} paid {money / 1e9:.4f} dollars" for owner, money in sorted(payers.items()))


def _entry(key: tuple[str, ...], entry: _Sums) -> dict[str, Json]:
    return {**dict(zip(_KEY, key, strict=True)), **entry.to_json()}


def _whole(found: _Journal) -> Json:
    return {
        "segments": found.segments,
        "bytes": found.size,
        "answers": found.answers,
        "dollars": round(found.dollars, 9),
        "dollars_by_output": {owner: money / 1e9 for owner, money in sorted(found.payers.items())},
        "first": found.first,
        "last": found.last,
        "broken": [*found.broken],
    }


def _table(sums: dict[tuple[str, ...], _Sums]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, caption="tokens by kind", caption_justify="right")
    for name in ("stage", "prompt", "model", "status"):
        table.add_column(name, overflow="fold", no_wrap=name in ("stage", "status"))
    for name in ("answers", *(each.removesuffix("_tokens") for each in _TOKENS), "dollars"):
        table.add_column(name, justify="right", no_wrap=True)
    for key, entry in sorted(sums.items()):
        numbers = [f"{number:,}" for number in (entry.answers, *(entry.tokens[name] for name in _TOKENS))]
        stage, prompt, version, model, status = (visible(each) for each in key)
        told = (words(each) for each in (stage, f"{prompt} v{version}" if prompt else "", model, status))
        table.add_row(*told, *numbers, f"{entry.dollars:.4f}")
    return table
