"""Manifests: the commit of a stage. What a manifest lists is the stage's output; nothing else is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self, cast

from oreline import files
from oreline.errors import BrokenTable
from oreline.ids import Json, Tally, sha256_json
from oreline.tables.digest import MODULUS
from oreline.tables.parts import Part

FORMAT = 1


@dataclass(frozen=True)
class Books:
    """What became of a stage's units: in = kept + merged + passed_over + dropped."""

    units: Tally = field(default_factory=Tally)
    kept: Tally = field(default_factory=Tally)
    merged: Tally = field(default_factory=Tally)
    passed_over: Tally = field(default_factory=Tally)
    dropped: Tally = field(default_factory=Tally)

    @property
    def balanced(self) -> bool:
        """Says whether counts and hash sums balance."""
        return self.units == self.kept + self.merged + self.passed_over + self.dropped

    def __add__(self, other: "Books") -> "Books":
        return Books(
            self.units + other.units,
            self.kept + other.kept,
            self.merged + other.merged,
            self.passed_over + other.passed_over,
            self.dropped + other.dropped,
        )

    def to_json(self) -> dict[str, Json]:
        """Returns each line of the books as [count, hash sum]."""
        return {name: cast("Tally", getattr(self, name)).to_json() for name in _LINES}

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Reads what `to_json` wrote."""
        lines = cast("dict[str, Json]", value)
        return cls(**{name: Tally.from_json(lines[name]) for name in _LINES})


_LINES = ("units", "kept", "merged", "passed_over", "dropped")


@dataclass(frozen=True)
class Manifest:
    """A finished stage: its tables, part by part, its books, and what it was made from.

    `ingredients` is what `fingerprint` hashes; `drops` counts rejects by reason; `counts` and `facts` hold what the
    stage itself reports. `written` is when, in ISO 8601; it enters no hash but the manifest's own checksum.
    """

    stage: str
    version: int
    fingerprint: str
    ingredients: dict[str, Json]
    tables: dict[str, tuple[Part, ...]]
    books: Books
    drops: dict[str, int]
    counts: dict[str, int]
    written: str
    facts: dict[str, Json] = field(default_factory=dict)

    def rows(self, table: str) -> int:
        """Returns the number of rows of a table, 0 if the stage did not write it."""
        return sum(part.rows for part in self.tables.get(table, ()))

    def ids(self, table: str) -> Tally:
        """Returns the tally of a table's id column."""
        return sum((part.ids for part in self.tables.get(table, ())), Tally())

    def digest(self, table: str) -> str:
        """Returns a table's content digest, 32 hexadecimal digits, whatever its parts and their order."""
        return f"{sum(part.digest for part in self.tables.get(table, ())) % MODULUS:032x}"

    def with_tables(self, tables: Mapping[str, tuple[Part, ...]]) -> "Manifest":
        """Returns this manifest with other parts for some tables."""
        return replace(self, tables={**self.tables, **tables})

    def to_json(self) -> dict[str, Json]:
        """Returns the manifest as it is written, without its checksum."""
        tables: dict[str, Json] = {}
        for name, parts in sorted(self.tables.items()):
            ordered = sorted(parts, key=lambda part: part.path)
            tables[name] = {
                "rows": self.rows(name),
                "digest": self.digest(name),
                "parts": [part.to_json() for part in ordered],
            }
        return {
            "format": FORMAT,
            "stage": self.stage,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "ingredients": self.ingredients,
            "tables": tables,
            "books": self.books.to_json(),
            "drops": dict(sorted(self.drops.items())),
            "counts": dict(sorted(self.counts.items())),
            "facts": self.facts,
            "written": self.written,
        }


def manifest_path(output: str, stage: str) -> str:
    """Returns where a stage's manifest lies."""
    return files.join(output, stage, "manifest.json")


def write_manifest(output: str, manifest: Manifest) -> None:
    """Commits a stage: replaces its manifest at once."""
    body = manifest.to_json()
    body["checksum"] = sha256_json(body)
    text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
    files.write_atomically(manifest_path(output, manifest.stage), text.encode())


def read_manifest(output: str, stage: str) -> Manifest | None:
    """Returns a stage's manifest, or None if the stage was never committed.

    Raises BrokenTable if the file was edited, cut short, or written by a newer format.
    """
    path = manifest_path(output, stage)
    if not files.exists(path):
        return None
    try:
        body = cast("dict[str, Json]", json.loads(files.read_bytes(path)))
        checksum = body.pop("checksum")
        if body["format"] != FORMAT:
            raise BrokenTable(f"{path}: manifest format {body['format']!r}, this version reads {FORMAT}")
        if sha256_json(body) != checksum:
            raise BrokenTable(f"{path}: its checksum does not match, it was edited or damaged")
        return _from_json(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenTable(f"{path}: not a manifest ({type(error).__name__}: {error})") from error


def whole_manifest(output: str, stage: str) -> Manifest | None:
    """Returns a stage's manifest, or None if it was never committed or its file is damaged: then it must run again."""
    try:
        return read_manifest(output, stage)
    except BrokenTable:
        return None


def broken_parts(output: str, manifest: Manifest) -> list[str]:
    """Returns a sentence for each listed part that is missing or has another size than listed."""
    problems = []
    for parts in manifest.tables.values():
        for part in parts:
            path = files.join(output, part.path)
            if not files.exists(path):
                problems.append(f"{path}: missing, but {manifest.stage}/manifest.json lists it")
            elif (found := files.size(path)) != part.size:
                problems.append(f"{path}: {found:,} bytes, but {manifest.stage}/manifest.json lists {part.size:,}")
    return problems


def _from_json(body: dict[str, Json]) -> Manifest:
    tables = cast("dict[str, dict[str, list[Json]]]", body["tables"])
    return Manifest(
        stage=str(body["stage"]),
        version=int(cast("int", body["version"])),
        fingerprint=str(body["fingerprint"]),
        ingredients=cast("dict[str, Json]", body["ingredients"]),
        tables={name: tuple(Part.from_json(part) for part in entry["parts"]) for name, entry in tables.items()},
        books=Books.from_json(body["books"]),
        drops=cast("dict[str, int]", body["drops"]),
        counts=cast("dict[str, int]", body["counts"]),
        facts=cast("dict[str, Json]", body["facts"]),
        written=str(body["written"]),
    )
