"""What is finished in an output folder: its manifests, and its tables as later stages see them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from oreline.ids import seeded_fraction
from oreline.records import ID_COLUMN
from oreline.stages.catalog import STAGES
from oreline.tables import reading
from oreline.tables.manifest import Manifest, read_manifest
from oreline.tables.parts import Part
from oreline.tables.schema import table_schema


def manifests_of(output: str) -> dict[str, Manifest]:
    """Returns the manifests of an output's finished stages, in order; raises BrokenTable for a damaged one."""
    found = {stage.name: read_manifest(output, stage.name) for stage in STAGES}
    return {name: manifest for name, manifest in found.items() if manifest is not None}


@dataclass(frozen=True)
class Finished:
    """The tables of an output, each as its last stage wrote it; `inputs` says which stage that is."""

    output: str
    manifests: dict[str, Manifest]

    @classmethod
    def of(cls, output: str) -> "Finished":
        """Reads the manifests of an output."""
        return cls(output, manifests_of(output))

    @property
    def inputs(self) -> dict[str, str]:
        """The last stage that wrote each table."""
        return {table: name for name, manifest in self.manifests.items() for table in manifest.tables}

    def parts(self, table: str) -> tuple[Part, ...]:
        """Returns the parts of a table, none if no stage wrote it."""
        stage = self.inputs.get(table)
        return self.manifests[stage].tables[table] if stage else ()

    def iterate(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yields a table by row group."""
        return reading.iterate(self.output, self.parts(table), columns)

    def lookup(self, table: str, column: str, wanted: Iterable[str], columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of a table whose `column` is among `wanted`."""
        return self.within(table, self.parts(table), column, wanted, columns=columns)

    def within(
        self, table: str, parts: Sequence[Part], column: str, wanted: Iterable[str], *, columns: Sequence[str] | None
    ) -> pa.Table:
        """Returns the rows of some parts of a table whose `column` is among `wanted`; no parts have no rows."""
        if not parts:
            return table_schema(table).empty_table().select(list(columns) if columns else table_schema(table).names)
        return reading.matching(self.output, parts, column, frozenset(wanted), columns)


def sample_ids(output: str, table: str, parts: Sequence[Part], number: int, seed: int) -> list[str]:
    """Returns `number` ids of a table drawn by a hash of seed and id: the same for the same rows, however stored."""
    column = ID_COLUMN[table]
    ids: set[str] = set()
    for block in reading.iterate(output, parts, [column]):
        ids.update(block.column(column).to_pylist())
        if len(ids) > 100 * number + 10_000:
            ids = set(_first(ids, number, seed))
    return _first(ids, number, seed)


def _first(ids: Iterable[str], number: int, seed: int) -> list[str]:
    return sorted(ids, key=lambda each: (seeded_fraction(seed, "show", each), each))[:number]
