"""Reading tables: by row group, by id, or lazily as a polars frame; always what a manifest lists."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.errors import BrokenTable
from oreline.records import ROW_TYPES
from oreline.tables.manifest import broken_parts, read_manifest
from oreline.tables.parts import Part
from oreline.tables.schema import table_schema

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class RowGroup:
    """A reference to some rows of a table: one row group of one part."""

    table: str
    path: str
    index: int
    rows: int


def row_groups(output: str, parts: Iterable[Part]) -> Iterator[RowGroup]:
    """Yields the row groups of parts, sorted by path; raises BrokenTable if a part cannot be opened."""
    for part in sorted(parts, key=lambda each: each.path):
        with open_parquet(files.join(output, part.path)) as parquet:
            for index in range(parquet.num_row_groups):
                yield RowGroup(part.table, part.path, index, parquet.metadata.row_group(index).num_rows)


def read_row_group(output: str, reference: RowGroup, columns: Sequence[str] | None = None) -> pa.Table:
    """Returns the rows of a reference, all columns or those named."""
    with open_parquet(files.join(output, reference.path)) as parquet:
        return parquet.read_row_group(reference.index, columns=list(columns) if columns else None)


def iterate(output: str, parts: Iterable[Part], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yields a table row group by row group: no more than one is in memory."""
    for reference in row_groups(output, parts):
        yield read_row_group(output, reference, columns)


def matching(
    output: str, parts: Sequence[Part], column: str, wanted: Collection[str], columns: Sequence[str] | None = None
) -> pa.Table:
    """Returns the rows whose `column` is among `wanted`; the table is streamed, only matches are kept."""
    table = parts[0].table if parts else None
    if table is None:
        raise ValueError("matching needs at least one part; look up an empty table's schema instead")
    chosen = list(columns) if columns else table_schema(table).names
    values = pa.array(sorted(wanted), pa.string())
    schema = pa.schema([table_schema(table).field(name) for name in chosen])
    found = [schema.empty_table()]
    for reference in row_groups(output, parts):
        with open_parquet(files.join(output, reference.path)) as parquet:
            own = parquet.read_row_group(reference.index, columns=[column])
            among = pc.is_in(own.column(column), values)
            # The other columns, which may be long, are read only where a row is wanted.
            if pc.any(among).as_py():
                block = own if chosen == [column] else parquet.read_row_group(reference.index, columns=chosen)
                found.append(block.filter(among).select(chosen))
    return pa.concat_tables(found)


def read(path: str) -> "pl.LazyFrame":
    """Returns a table as a lazy polars frame, exactly the parts that its stage's manifest lists.

    `path` is `<output>/<stage>/<table>`, or `<output>/<table>` for the last stage that wrote that table.
    Raises BrokenTable if there is no such finished table, or a part of it is missing or truncated.
    """
    import polars as pl

    output, stage, table = _locate(path)
    manifest = read_manifest(output, stage)
    if manifest is None or table not in manifest.tables:
        raise BrokenTable(f"{path}: {stage} has no finished table {table!r} in {output}")
    if problems := broken_parts(output, replace(manifest, tables={table: manifest.tables[table]})):
        raise BrokenTable(f"{problems[0]}; run the recipe again")
    parts = [files.join(output, part.path) for part in manifest.tables[table]]
    if not parts:
        empty = pl.from_arrow(table_schema(table).empty_table())
        return pl.DataFrame(empty).lazy()
    return pl.scan_parquet(parts, glob=False)


def _locate(path: str) -> tuple[str, str, str]:
    from oreline.stages.catalog import STAGES

    parent, _, table = path.rstrip("/").rpartition("/")
    if table not in ROW_TYPES:
        raise BrokenTable(f"{path}: its last part must be a table, one of {', '.join(ROW_TYPES)}")
    output, _, stage = parent.rpartition("/")
    names = [each.name for each in STAGES]
    if stage in names and files.exists(files.join(parent, "manifest.json")):
        return output or ".", stage, table
    for name in reversed(names):
        manifest = read_manifest(parent or ".", name)
        if manifest is not None and table in manifest.tables:
            return parent or ".", name, table
    raise BrokenTable(f"{path}: no finished stage wrote {table!r} below {parent or '.'}")


@contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file and closes it again; raises BrokenTable if it is missing or damaged."""
    try:
        # Arrow's own file reads without the interpreter's lock.
        with (
            pa.OSFile(path) if files.is_local(path) else files.open_read(path) as file,
            pq.ParquetFile(file) as parquet,
        ):
            yield parquet
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise BrokenTable(
            f"{path}: a listed part cannot be read ({error}); delete it and run the recipe again"
        ) from error
