"""Members: what deciding on clusters needs to know of the documents in them, read from where they stand."""

import json
import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import Job
from oreline.minhash.clusters import MEMBERS
from oreline.minhash.forms import Ints
from oreline.minhash.groups import Group, row_of

Keep = Literal["smallest_id", "longest", "highest_score"]

_COLUMNS: dict[Keep, tuple[str, ...]] = {"smallest_id": (), "longest": ("text",), "highest_score": ("metadata",)}


def members_of(group: Group, labels: pa.Table, classes: pa.Table, job: Job) -> pa.Table:
    """Returns the MEMBERS of a group: `labels` (LABELS) of its nodes with edges, `classes` likewise by content alone.

    A node without a class is alone in it.
    """
    nodes = labels.column("node").to_numpy()
    order = np.argsort(nodes)
    nodes, clusters = nodes[order], labels.column("label").to_numpy()[order]
    label_of_class = nodes.copy()
    label_of_class[np.searchsorted(nodes, classes.column("node").to_numpy())] = classes.column("label").to_numpy()
    columns = {"node": nodes, "label": clusters, "class": label_of_class, **_described(group, row_of(nodes), job)}
    return pa.table([columns[name] for name in MEMBERS.names], schema=MEMBERS)


def _described(group: Group, rows: Ints, job: Job) -> dict[str, pa.Array]:
    count = len(rows)
    if group.known:
        table = group.read(("doc_id", "keeper")).take(pa.array(rows))
        return {
            "doc_id": table.column("doc_id").combine_chunks(),
            "known": pa.array(np.ones(count, np.bool_)),
            "known_keeper": table.column("keeper").combine_chunks(),
            "searchable": pa.array(np.ones(count, np.bool_)),
            "judged": pa.array(np.zeros(count, np.bool_)),
            "weight": pa.array(np.zeros(count)),
        }
    keep = job.recipe.dedup.keep
    table = group.read(("doc_id", "searchable", *_COLUMNS[keep])).take(pa.array(rows))
    doc_ids = table.column("doc_id").combine_chunks()
    return {
        "doc_id": doc_ids,
        "known": pa.array(np.zeros(count, np.bool_)),
        "known_keeper": pa.nulls(count, pa.string()),
        "searchable": table.column("searchable").combine_chunks(),
        "judged": _judged(doc_ids, job),
        "weight": pa.array(_weights(table, keep, job.recipe.dedup.score or "")),
    }


def _judged(doc_ids: pa.Array, job: Job) -> pa.Array:
    """Says which documents some pair names; the pairs are streamed."""
    judged = np.zeros(len(doc_ids), np.bool_)
    for block in job.iterate("pairs", ["doc_id"]):
        places = pc.index_in(block.column("doc_id"), value_set=doc_ids).drop_null()
        judged[places.to_numpy()] = True
    return pa.array(judged)


def _weights(table: pa.Table, keep: Keep, field: str) -> npt.NDArray[np.float64]:
    if keep == "longest":
        return np.asarray(pc.utf8_length(table.column("text")).to_numpy(), np.float64)
    if keep == "highest_score":
        return np.array([score_of(each, field) for each in table.column("metadata").to_pylist()], np.float64)
    return np.zeros(table.num_rows)


def score_of(metadata: str | None, field: str) -> float:
    """Returns the number in a field of a document's metadata (JSON); minus infinity if there is none."""
    fields = json.loads(metadata) if metadata else {}
    value = fields.get(field) if isinstance(fields, dict) else None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return -math.inf
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return -math.inf
    try:
        number = float(value)
    except OverflowError:  # JSON's whole numbers have no bounds
        return math.inf if value > 0 else -math.inf
    return -math.inf if math.isnan(number) else number
