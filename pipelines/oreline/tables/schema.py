"""Arrow schemas and JSON contracts from the row types, and rows to Arrow and back."""

import types
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import pyarrow as pa

from oreline.ids import Json
from oreline.records import ROW_TYPES

Row = TypeVar("Row")

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.large_binary(),
}


def table_schema(table: str) -> pa.Schema:
    """Returns the Arrow schema of a table, by its name in `ROW_TYPES`."""
    return row_schema(ROW_TYPES[table])


@cache
def row_schema(row_type: type) -> pa.Schema:
    """Returns the Arrow schema of a row type; a column is nullable if its type admits None."""
    return pa.schema(_arrow_fields(row_type))


def to_arrow(row_type: type[Row], rows: Sequence[Row]) -> pa.Table:
    """Returns the rows as an Arrow table with `row_schema(row_type)`."""
    schema = row_schema(cast("Hashable", row_type))
    return pa.table(_columns(row_type, rows, schema), schema=schema)


def dictionary(values: Sequence[str | None]) -> pa.DictionaryArray:
    """Returns strings of which many are equal as a column in which each stands once."""
    places = {value: place for place, value in enumerate(dict.fromkeys(value for value in values if value is not None))}
    indices = pa.array([None if value is None else places[value] for value in values], pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(places), pa.string()))


def _columns(row_type: type, rows: Sequence[object], schema: Iterable[pa.Field]) -> list[pa.Array]:
    nested = _nested_columns(row_type)
    return [_column([*map(attrgetter(field.name), rows)], field.type, nested.get(field.name)) for field in schema]


def _column(values: list[object], kind: pa.DataType, row_type: type | None) -> pa.Array:
    """Returns a column; one of nested rows column by column again, as a dictionary per row would take far longer."""
    if row_type is None:
        return pa.array(values, kind)
    if pa.types.is_list(kind):
        return _lists(cast("list[list[object] | None]", values), kind, row_type)
    # What stands in for a null must have a value in every column that takes none.
    some = next((value for value in values if value is not None), None)
    if some is None:
        return pa.array(values, kind)
    missing = [value is None for value in values]
    children = _columns(row_type, [some if value is None else value for value in values], kind)
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=pa.array(missing) if any(missing) else None)


def _lists(values: list[list[object] | None], kind: pa.ListType, row_type: type) -> pa.Array:
    offsets: list[int | None] = []
    rows: list[object] = []
    for value in values:
        offsets.append(None if value is None else len(rows))
        rows.extend(value or ())
    items = _column(rows, kind.value_type, row_type)
    return pa.ListArray.from_arrays(pa.array([*offsets, len(rows)], pa.int32()), items, type=kind)


def from_arrow(row_type: type[Row], table: pa.Table) -> list[Row]:
    """Returns the rows of an Arrow table that has (at least) the columns of `row_type`."""
    names = [spec.name for spec in fields(cast("type", row_type))]
    return _rows(row_type, {name: table.column(name).combine_chunks() for name in names})


def contract(table: str) -> Json:
    """Returns a table's contract as `schemas/<table>.schema.json` holds it, column by column."""
    row_type = ROW_TYPES[table]
    summary = (row_type.__doc__ or "").strip().splitlines()[0]
    return {"table": table, "row": summary, "columns": _contract_columns(row_type)}


def _contract_columns(row_type: type) -> list[Json]:
    hints = get_type_hints(row_type)
    columns: list[Json] = []
    for spec in fields(row_type):
        inner, nullable = _unwrap(hints[spec.name])
        described: dict[str, Json] = {
            "name": spec.name,
            "type": _type_name(inner),
            "nullable": nullable,
            "doc": str(spec.metadata["doc"]),
        }
        if "unit" in spec.metadata:
            described["unit"] = str(spec.metadata["unit"])
        if get_origin(inner) is Literal:
            described["values"] = list(get_args(inner))
        nested = _nested_row(inner)
        if nested is not None:
            described["fields"] = _contract_columns(nested)
        columns.append(described)
    return columns


def _type_name(inner: object) -> str:
    if get_origin(inner) is list:
        return f"list<{_type_name(get_args(inner)[0])}>"
    if is_dataclass(inner):
        return "struct"
    return str(_arrow_type(inner))


def _arrow_fields(row_type: type) -> list[pa.Field]:
    hints = get_type_hints(row_type)
    unwrapped = [(spec.name, *_unwrap(hints[spec.name])) for spec in fields(row_type)]
    return [pa.field(name, _arrow_type(inner), nullable=nullable) for name, inner, nullable in unwrapped]


def _arrow_type(inner: object) -> pa.DataType:
    if get_origin(inner) is Literal:
        return pa.string()
    if get_origin(inner) is list:
        return pa.list_(pa.field("item", _arrow_type(get_args(inner)[0]), nullable=False))
    if is_dataclass(inner):
        return pa.struct(_arrow_fields(cast("type", inner)))
    return _SCALARS[cast("type", inner)]


def _unwrap(hint: object) -> tuple[object, bool]:
    """Takes `X | None` apart into X and True; anything else comes back with False."""
    if get_origin(hint) in (Union, types.UnionType):
        kept = [part for part in get_args(hint) if part is not type(None)]
        return kept[0], len(kept) < len(get_args(hint))
    return hint, False


def _nested_row(inner: object) -> type | None:
    element = get_args(inner)[0] if get_origin(inner) is list else inner
    return cast("type", element) if is_dataclass(element) else None


@cache
def _nested_columns(row_type: type) -> Mapping[str, type]:
    """Returns the row types of those columns that hold nested rows."""
    hints = get_type_hints(row_type)
    nested = {spec.name: _nested_row(_unwrap(hints[spec.name])[0]) for spec in fields(row_type)}
    return {name: inner for name, inner in nested.items() if inner is not None}


def _rows(row_type: type[Row], columns: Mapping[str, pa.Array]) -> list[Row]:
    """Builds rows column by column: a dictionary per nested row, as `to_pylist` makes it, would take twice as long."""
    nested = _nested_columns(cast("Hashable", row_type))
    values = [
        _nested_values(nested[name], column) if name in nested else _plain_values(column)
        for name, column in columns.items()
    ]
    return [row_type(*row) for row in zip(*values, strict=True)]


def _plain_values(column: pa.Array) -> list[object]:
    """Returns a column's values; one of a dictionary is one object wherever it stands."""
    if not pa.types.is_dictionary(column.type):
        return cast("list[object]", column.to_pylist())
    known = column.dictionary.to_pylist()
    return [None if place is None else known[place] for place in column.indices.to_pylist()]


def _nested_values(row_type: type, column: pa.Array) -> list[object]:
    """Returns a column of nested rows, or of lists of them, as Python holds them; a null is None."""
    structs = column.flatten() if pa.types.is_list(column.type) else column
    children = {child.name: values for child, values in zip(structs.type, structs.flatten(), strict=True)}
    rows: list[object] = _rows(row_type, {spec.name: children[spec.name] for spec in fields(row_type)})
    if structs is column:
        return [row if valid else None for row, valid in zip(rows, column.is_valid().to_pylist(), strict=True)]
    values: list[object] = []
    start = 0
    for length in column.value_lengths().to_pylist():
        values.append(None if length is None else rows[start : start + length])
        start += length or 0
    return values
