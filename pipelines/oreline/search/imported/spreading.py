"""From a file of candidates to rows beside their queries' blocks, with what cannot be used."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import Job, StageWriter
from oreline.recipe.settings import Run
from oreline.records import Reject
from oreline.search.imported.formats import Form
from oreline.search.imported.lines import Lines
from oreline.search.imported.naming import Named, by_ids, by_texts
from oreline.search.imported.parsing import Parsed, parse
from oreline.search.tags import TAG, text_tags

ROW_SCHEMA = pa.schema(
    [
        pa.field("miner", pa.string(), nullable=False),
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("document", pa.string()),
        pa.field("tags", pa.list_(TAG)),
        pa.field("score", pa.float64()),
        pa.field("place", pa.int64(), nullable=False),
        pa.field("positive", pa.bool_(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("text", pa.string()),
    ]
)
"""A candidate beside its query. `document` is an id as the file has it; `tags` those of a text (see `search.tags`).

`source` is file and line; `place` as in `parsing.PARSED_SCHEMA`, over all files of a miner.
"""

_FILE = 1 << 48
"""Places of one file, at most."""


@dataclass(frozen=True)
class RunFile:
    """One file of a miner's candidates: its place among the miner's files, and what its lines hold."""

    miner: str
    settings: Run
    number: int
    path: str
    form: Form

    def source(self, line: int) -> str:
        """Returns the id of a line."""
        return f"{self.path}:{line}"


def rows_of(job: Job, file: RunFile, block: Lines, writer: StageWriter) -> pa.Table:
    """Returns the candidates of some lines (`ROW_SCHEMA`); what cannot be used is written as rejects, and counted."""
    parsed = parse(block, file.form)
    naming = by_texts if file.form == "bge" else by_ids
    named = naming(job, pc.unique(parsed.rows.column("query")).to_pylist(), file.settings.dataset)
    _reject(file, parsed, named, writer)
    writer.tally("runs", file.miner, "lines", number=sum(1 for line in block.lines if line.strip()))
    return _joined(file, parsed.rows, named)


def _joined(file: RunFile, rows: pa.Table, named: Named) -> pa.Table:
    names = pa.array(list(named.found), pa.string())
    known = rows.filter(pc.is_in(rows.column("query"), value_set=names))
    places = np.asarray(pc.index_in(known.column("query"), value_set=names), np.int64)
    meant = list(named.found.values())
    sizes = np.array([len(each) for each in meant], np.int64)
    counts = sizes[places]
    rows_of = np.repeat(np.arange(len(places)), counts)
    known = known.take(pa.array(rows_of))
    count = len(rows_of)
    nth = np.arange(count) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = pa.array((np.cumsum(sizes) - sizes)[places[rows_of]] + nth)
    query_ids, datasets = (
        pa.array([pair[side] for pairs in meant for pair in pairs], pa.string()).take(chosen) for side in (0, 1)
    )
    lines = pc.cast(known.column("line"), pa.string())
    columns = {
        "miner": pa.repeat(pa.scalar(file.miner), count),
        "query_id": query_ids,
        "dataset": datasets,
        "document": known.column("document"),
        "tags": _tags(known.column("text")),
        "score": known.column("score"),
        "place": pc.add(known.column("place"), file.number * _FILE),
        "positive": known.column("positive"),
        "source": pc.binary_join_element_wise(pa.scalar(file.path), lines, pa.scalar(":"))
        if count
        else pa.array([], pa.string()),
        "text": known.column("text"),
    }
    return pa.table(columns, schema=ROW_SCHEMA)


def _tags(texts: pa.ChunkedArray) -> pa.Array:
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.list_(TAG))
    return pa.array([None if text is None else text_tags(text) for text in texts.to_pylist()], pa.list_(TAG))


def _reject(file: RunFile, parsed: Parsed, named: Named, writer: StageWriter) -> None:
    for bad in parsed.bad:
        reject = Reject(file.source(bad.line), "candidates", bad.reason, bad.detail, file.miner, bad.payload)
        writer.reject(reject)
    lost = pc.is_in(parsed.rows.column("query"), value_set=pa.array(list(named.problems), pa.string()))
    for row in parsed.rows.filter(lost).to_pylist():
        reason, sentence = named.problems[row["query"]]
        payload = f"{row['query']} {row['document'] or row['text']}"
        writer.reject(Reject(file.source(row["line"]), "candidates", reason, sentence, file.miner, payload))
