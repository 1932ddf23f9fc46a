"""An index as one Arrow file, which all workers of a machine map into memory."""

import json
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline import files
from oreline.decontamination.buckets import Buckets, Numbers
from oreline.decontamination.compared import Compared
from oreline.decontamination.index import Form, Index, Texts
from oreline.ids import Json
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes, Sequences, Words
from oreline.records import Content

_BUCKET_PARTS = ("hashes", "texts", "prefixes")


def write_index(index: Index, path: str) -> None:
    """Writes an index as one Arrow file: a row of lists."""
    columns: dict[str, pa.Array] = {
        "benchmarks": _listed(index.texts.benchmarks),
        "roles": _listed(index.texts.roles),
        "equal_rows": _listed(index.texts.equal_rows),
        "labels": _listed(index.texts.labels),
        "excerpts": _listed(index.texts.excerpts),
    }
    for content, form in index.forms.items():
        for name, values in _arrays(form).items():
            columns[f"{content}.{name}"] = _listed(values)
    table = pa.table(columns).replace_schema_metadata({"facts": json.dumps(index.facts)})
    with files.open_write(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


@lru_cache(maxsize=1)
def open_index(path: str) -> Index:
    """Returns an index that was written; a local file is mapped into memory, not read. The last one stays open."""
    source = pa.memory_map(path) if files.is_local(path) else pa.BufferReader(files.read_bytes(path))
    table = pa.ipc.open_file(source).read_all()
    facts = cast("list[dict[str, Json]]", json.loads(table.schema.metadata[b"facts"]))
    texts = Texts(
        cast("Numbers", _numbers(table, "benchmarks")),
        cast("Numbers", _numbers(table, "roles")),
        cast("Ints", _numbers(table, "equal_rows")),
        _values(table, "labels"),
        _values(table, "excerpts"),
    )
    contents = [name.partition(".")[0] for name in table.column_names if name.endswith(".words_values")]
    return Index(facts, texts, {cast("Content", each): _read_form(table, each) for each in contents})


def _arrays(form: Form) -> dict[str, npt.NDArray[np.generic]]:
    found: dict[str, npt.NDArray[np.generic]] = {}
    for name, rows in (("words", form.texts.words), ("characters", form.texts.characters)):
        found |= {f"{name}_values": rows.values, f"{name}_starts": rows.starts}
    for name, buckets in (("exact", form.exact), ("grams", form.grams), ("near", form.near)):
        found |= {
            f"{name}_hashes": buckets.hashes,
            f"{name}_texts": buckets.texts,
            f"{name}_prefixes": buckets.prefixes,
        }
    return found


def _read_form(table: pa.Table, content: str) -> Form:
    def rows(name: str) -> Sequences:
        values, starts = (_numbers(table, f"{content}.{name}_{part}") for part in ("values", "starts"))
        return Sequences(cast("Words", values), cast("Ints", starts))

    def buckets(name: str) -> Buckets:
        hashes, texts, prefixes = (_numbers(table, f"{content}.{name}_{part}") for part in _BUCKET_PARTS)
        return Buckets(cast("Hashes", hashes), cast("Numbers", texts), cast("Ints", prefixes))

    return Form(Compared(rows("words"), rows("characters")), buckets("exact"), buckets("grams"), buckets("near"))


def _listed(values: npt.NDArray[np.generic] | pa.Array) -> pa.Array:
    flat = values if isinstance(values, pa.Array) else pa.array(values)
    return pa.LargeListArray.from_arrays(pa.array([0, len(flat)], pa.int64()), flat)


def _values(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).chunk(0).flatten()


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.generic]:
    return cast("npt.NDArray[np.generic]", _values(table, name).to_numpy(zero_copy_only=True))
