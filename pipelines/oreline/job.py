"""A stage's job: where it reads and writes, and the books it keeps. No Beam here."""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import pyarrow as pa

from oreline import files
from oreline.errors import BrokenTable
from oreline.ids import Json, Tally
from oreline.reasons import REASONS
from oreline.recipe.settings import Recipe
from oreline.records import ROW_TYPES, Document, Fate, FateRow, Reject
from oreline.tables import reading
from oreline.tables.manifest import Books, read_manifest
from oreline.tables.parts import Part, PartWriter
from oreline.tables.schema import table_schema, to_arrow

StopKind = Literal["budget", "quota", "key", "interrupted"]

PATH = "\t"
"""Stands between the nested keys in the name of a count that is a fact of the manifest."""

_WRITE_EVERY = 4_096
_WRITE_CHARACTERS = 16 * 2**20
_PAYLOAD_CHARACTERS = 10_000


@dataclass(frozen=True)
class Job:
    """One run of one stage, as its workers need to know it.

    `inputs` names, for each table that the stage reads, the stage whose manifest lists it.
    """

    output: str
    stage: str
    recipe: Recipe
    inputs: dict[str, str]

    def parts(self, table: str) -> tuple[Part, ...]:
        """Returns the parts of an input table; raises BrokenTable if its stage has no manifest."""
        stage = self.inputs[table]
        manifest = read_manifest(self.output, stage)
        if manifest is None:
            raise BrokenTable(f"{self.output}: stage {stage} is not finished, but {self.stage} reads its {table}")
        return manifest.tables.get(table, ())

    def row_groups(self, table: str) -> list[reading.RowGroup]:
        """Returns references to all rows of an input table."""
        return list(reading.row_groups(self.output, self.parts(table)))

    def read(self, reference: reading.RowGroup, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of a reference."""
        return reading.read_row_group(self.output, reference, columns)

    def iterate(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yields an input table by row group."""
        return reading.iterate(self.output, self.parts(table), columns)

    def lookup(self, table: str, column: str, wanted: Iterable[str], columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of an input table whose `column` is among `wanted`; only they are held in memory."""
        parts = self.parts(table)
        if not parts:
            chosen = list(columns) if columns else table_schema(table).names
            return table_schema(table).empty_table().select(chosen)
        return reading.matching(self.output, parts, column, frozenset(wanted), columns)

    def scratch(self, name: str) -> str:
        """Returns the path of a new file that lives until the stage is done."""
        return files.join(self.output, self.stage, "_scratch", f"{name}-{uuid.uuid4().hex}")

    def stop_requested(self) -> bool:
        """Says whether the user pressed Ctrl-C: finish what is in flight and emit a stopped report."""
        return files.exists(files.join(self.output, "_progress", "stop"))


@dataclass(frozen=True)
class Report:
    """What a work item tells the last node of its job: parts, books, and why it stopped or failed, if it did.

    `books.units` is filled by ingest alone; elsewhere the units come from the input's manifest.
    `counts` are summed over reports. `facts` are merged; a key must have one value everywhere.
    """

    parts: tuple[Part, ...] = ()
    books: Books = field(default_factory=Books)
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Json] = field(default_factory=dict)
    stopped: StopKind | None = None
    failure: str | None = None
    message: str | None = None

    def encode(self) -> bytes:
        """Returns the report as bytes, the only form in which it crosses an edge."""
        body: dict[str, Json] = {
            "parts": [part.to_json() for part in self.parts],
            "books": self.books.to_json(),
            "counts": dict(self.counts),
            "facts": self.facts,
            "stopped": self.stopped,
            "failure": self.failure,
            "message": self.message,
        }
        return json.dumps(body).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "Report":
        """Reads what `encode` wrote."""
        body = json.loads(encoded)
        return cls(
            parts=tuple(Part.from_json(part) for part in body["parts"]),
            books=Books.from_json(body["books"]),
            counts=body["counts"],
            facts=body["facts"],
            stopped=body["stopped"],
            failure=body["failure"],
            message=body["message"],
        )


class StageWriter:
    """Collects what a work item makes of its units: rows, fates, rejects. `close` returns the report.

    Every unit is told once: `kept`, `merged`, `passed_over` or `dropped`.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._writers: dict[str, PartWriter] = {}
        self._waiting: dict[str, list[object]] = {}
        self._waiting_characters = 0
        self._kept = Tally()
        self._units = Tally()
        self._counted_over = Tally()
        self._counts: Counter[str] = Counter()
        self._facts: dict[str, Json] = {}

    def rows(self, table: str, rows: Iterable[object]) -> None:
        """Writes rows (of the table's row type)."""
        waiting = self._waiting.setdefault(table, [])
        for row in rows:
            waiting.append(row)
            self._waiting_characters += len(row.text) if isinstance(row, Document) else 0
            if len(waiting) >= _WRITE_EVERY or self._waiting_characters >= _WRITE_CHARACTERS:
                self._flush(table)
                waiting = self._waiting.setdefault(table, [])

    def arrow(self, table: str, rows: pa.Table) -> None:
        """Writes rows that stand in an Arrow table with the table's columns."""
        self._flush(table)
        self._writer(table).write(rows)

    def units(self, unit_ids: Iterable[str]) -> None:
        """Counts units that came in; only ingest, whose sources have no manifest, calls this."""
        self._units += Tally.of(unit_ids)

    def kept(self, unit_ids: Iterable[str]) -> None:
        """Says that these units are parents of rows written here."""
        self._kept += Tally.of(unit_ids)

    def merged(self, unit_id: str, into: str) -> None:
        """Says that a unit went into another."""
        self._fate(unit_id, "merged", into)

    def passed_over(self, unit_id: str) -> None:
        """Says that a rule left a unit out, and lists it."""
        self._fate(unit_id, "passed_over", None)

    def counted_over(self, unit_ids: Iterable[str]) -> None:
        """Says that a rule that anyone can recompute left these units out; they are counted, not listed."""
        self._counted_over += Tally.of(unit_ids)

    def dropped(self, unit_id: str, reject: Reject) -> None:
        """Says that a unit was dropped, and why."""
        self._fate(unit_id, "dropped", None)
        self.reject(reject)

    def reject(self, reject: Reject) -> None:
        """Keeps a row that was dropped although its unit was not; raises KeyError for an unknown reason."""
        REASONS[reject.reason]
        payload = reject.payload
        if payload is not None and len(payload) > _PAYLOAD_CHARACTERS:
            reject = Reject(
                reject.row_id, reject.table, reject.reason, reject.detail, reject.by, payload[:_PAYLOAD_CHARACTERS]
            )
        self.rows("rejects", [reject])

    def count(self, name: str, number: int = 1) -> None:
        """Adds to a number that the manifest states."""
        self._counts[name] += number

    def tally(self, *path: str, number: int = 1) -> None:
        """Adds to a number that stands among the manifest's facts, under nested keys; there must be few of them."""
        self._counts[PATH.join(path)] += number

    def fact(self, name: str, value: Json) -> None:
        """States something that is the same in every report of the job, e.g. the encoder's identity."""
        self._facts[name] = value

    def close(
        self, *, stopped: StopKind | None = None, failure: str | None = None, message: str | None = None
    ) -> Report:
        """Finishes all parts and returns the report."""
        for table in list(self._waiting):
            self._flush(table)
        parts = tuple(part for writer in self._writers.values() for part in writer.close())
        fates: dict[Fate, Tally] = {"merged": Tally(), "passed_over": Tally(), "dropped": Tally()}
        for part in parts:
            if part.table == "fates":
                for fate, tally in part.kind_ids.items():
                    fates[cast("Fate", fate)] += tally
        books = Books(
            units=self._units,
            kept=self._kept,
            merged=fates["merged"],
            passed_over=fates["passed_over"] + self._counted_over,
            dropped=fates["dropped"],
        )
        return Report(parts, books, dict(self._counts), self._facts, stopped, failure, message)

    def _fate(self, unit_id: str, fate: Fate, into: str | None) -> None:
        self.rows("fates", [FateRow(unit_id, fate, into)])

    def _writer(self, table: str) -> PartWriter:
        if table not in self._writers:
            self._writers[table] = PartWriter(self._job.output, self._job.stage, table)
        return self._writers[table]

    def _flush(self, table: str) -> None:
        rows = self._waiting.pop(table, [])
        if table == "documents":
            self._waiting_characters = 0
        if rows:
            self._writer(table).write(to_arrow(ROW_TYPES[table], rows))
