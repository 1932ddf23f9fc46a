"""What became of a block's texts, and the rows of `vectors` that come of it: one per text, by all its encoders."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.recipe.settings.mine import DENSE
from oreline.tables.schema import table_schema

LISTED_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("miner", pa.string(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("encoded", pa.int8(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("why", pa.string()),
    ]
)
"""A text after its block was encoded.

`encoded` is 1 for a text that was encoded now, -1 for one that the store had, 0 for one whose equal is counted. A text
without vector has its `text`, where it was read, and a sentence in `why`.
"""

_BLANK = "there is nothing but white space to encode"
_NO_DIRECTION = "the encoder's vector is zero or not finite"


def listed(block: pa.Table, miner: str, present: set[str], refused: Mapping[str, str]) -> pa.Table:
    """Returns the texts of an encoded block (`texts.TEXT_SCHEMA`) as `LISTED_SCHEMA`.

    `present` are the keys that have a vector, `refused` reasons by key for those that have none.
    """
    keys, blank = block.column("key"), block.column("blank")
    kept = pc.and_(pc.is_in(keys, pa.array(sorted(present), pa.string())), pc.invert(blank))
    flags = np.asarray(kept, np.bool_)
    numbers = np.asarray(pc.rank(keys, tiebreaker="dense"), np.int64)
    _, first = np.unique(np.where(flags, numbers, 0), return_index=True)
    encoded = np.zeros(block.num_rows, np.int8)
    encoded[first] = np.where(np.asarray(pc.is_valid(block.column("text")), np.bool_)[first], 1, -1)
    encoded[~flags] = 0
    return pa.table(
        {
            "id": block.column("id"),
            "side": block.column("side"),
            "key": keys,
            "miner": pa.repeat(pa.scalar(miner), block.num_rows),
            "kept": kept,
            "encoded": pa.array(encoded),
            "text": pc.if_else(kept, pa.scalar(None, pa.string()), block.column("text")),
            "why": _reasons(block, flags, refused),
        },
        schema=LISTED_SCHEMA,
    )


def _reasons(
    block: pa.Table, kept: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]", refused: Mapping[str, str]
) -> pa.Array:
    found: list[str | None] = [None] * block.num_rows
    for row in np.flatnonzero(~kept).tolist():
        blank = block.column("blank")[row].as_py()
        found[row] = _BLANK if blank else refused.get(block.column("key")[row].as_py(), _NO_DIRECTION)
    return pa.array(found, pa.string())


def vector_rows(texts: pa.Table) -> pa.Table:
    """Returns rows of the table `vectors` from all that is listed (`LISTED_SCHEMA`) of some texts.

    A text that the reference encoder did not take has no row; one that a further encoder did not take has no key of it.
    """
    taken = texts.filter(texts.column("kept"))
    reference = pc.equal(taken.column("miner"), DENSE)
    rows = taken.filter(reference).sort_by([("side", "ascending"), ("id", "ascending")])
    further = taken.filter(pc.invert(reference))
    schema = table_schema("vectors")
    columns = [rows.column(name).combine_chunks() for name in ("id", "side", "key")]
    return pa.table([*columns, _further(rows, further, schema.field("others").type)], schema=schema)


def _further(rows: pa.Table, further: pa.Table, kind: pa.ListType) -> pa.Array:
    """Returns a list per row: the keys of further encoders, sorted by miner; null where there are none."""
    places = pc.index_in(_names(further), value_set=_names(rows))
    # What the reference did not take is found by no miner.
    further = further.append_column("place", places).filter(pc.is_valid(places))
    further = further.sort_by([("place", "ascending"), ("miner", "ascending")])
    structs = pa.StructArray.from_arrays(
        [further.column(name).combine_chunks() for name in ("miner", "key")], fields=list(kind.value_type)
    )
    offsets = np.searchsorted(np.asarray(further.column("place"), np.int64), np.arange(rows.num_rows + 1))
    empty = pa.array(np.diff(offsets) == 0)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), structs, type=kind, mask=empty)


def _names(texts: pa.Table) -> pa.Array:
    """Returns what tells texts apart: a query and a document may have one id."""
    joined = pc.binary_join_element_wise(texts.column("side"), texts.column("id"), " ")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def unknown(texts: pa.Table, miner: str) -> int:
    """Returns how many texts a further encoder did not take although the reference did."""
    return _number(texts, DENSE) - _number(_of_both(texts), miner)


def _of_both(texts: pa.Table) -> pa.Table:
    reference = texts.filter(pc.and_(texts.column("kept"), pc.equal(texts.column("miner"), DENSE)))
    return texts.filter(pc.is_in(_names(texts), value_set=_names(reference)))


def _number(texts: pa.Table, miner: str) -> int:
    return int(texts.filter(pc.and_(texts.column("kept"), pc.equal(texts.column("miner"), miner))).num_rows)
