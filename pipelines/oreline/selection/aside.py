"""Pieces: selected rows put aside by scope while it is found out which of their queries are near.

Pieces are small files of rows; several make a block, whose vectors lie in a file of their own. Only references cross
an edge. How rows are cut into pieces and blocks changes no result.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from oreline import files
from oreline.filters.places import query_place
from oreline.ids import Json, canonical_json, unit_hash
from oreline.job import Job, StageWriter
from oreline.records import Query, Triple
from oreline.tables.reading import open_parquet
from oreline.tables.schema import table_schema, to_arrow

BLOCK_ROWS = 16_384
"""Rows of a block, about: the vectors of two blocks are in memory together."""

REPORT = -1
"""Key of reports among the references of a step; other keys are scopes."""

_BESIDE = pa.schema(
    [
        pa.field("place", pa.string()),
        pa.field("query", pa.string()),
        pa.field("task", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("source", pa.string()),
        pa.field("best", pa.float64()),
    ]
)
"""What stands beside a row put aside: the query's place, text, task and language; its source (JSON: dataset, origin,
writer) and the score of its best positive."""


@dataclass(frozen=True)
class Piece:
    """Where some selected rows of one scope are: a path, or several of a block; `vectors` once they are written."""

    scope: str
    paths: tuple[str, ...]
    rows: int
    vectors: str = ""

    def encode(self) -> bytes:
        """Returns the reference as it crosses an edge."""
        return json.dumps([self.scope, self.paths, self.rows, self.vectors]).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "Piece":
        """Reads what `encode` wrote."""
        scope, paths, rows, vectors = json.loads(encoded)
        return cls(scope, tuple(paths), rows, vectors)

    @property
    def key(self) -> int:
        """A number of the scope, 0 or more, to group by."""
        return unit_hash(self.scope) >> 65


def put_aside(job: Job, selected: Sequence[tuple[Query, Triple]]) -> Iterator[Piece]:
    """Writes selected rows, one file per scope: dataset, instruction and split of the query."""
    scopes: dict[str, list[tuple[Query, Triple]]] = {}
    for query, triple in selected:
        scope: Json = [query.dataset, query.instruction, query.split]
        scopes.setdefault(canonical_json(scope).decode(), []).append((query, triple))
    for scope, rows in sorted(scopes.items()):
        table = to_arrow(Triple, [triple for _, triple in rows])
        beside = pa.Table.from_pylist([_beside(query, triple) for query, triple in rows], _BESIDE)
        for name in _BESIDE.names:
            table = table.append_column(_BESIDE.field(name), beside.column(name))
        yield _written(job, scope, table)


def aside_again(job: Job, piece: Piece, rows: pa.Table) -> Piece:
    """Writes some of the rows of a piece and returns them as a piece of their own."""
    return _written(job, piece.scope, rows)


def _written(job: Job, scope: str, rows: pa.Table) -> Piece:
    path = job.scratch("selected") + ".parquet"
    with files.open_write(path) as file:
        pq.write_table(rows, file, compression="lz4")
    return Piece(scope, (path,), rows.num_rows)


def _beside(query: Query, triple: Triple) -> dict[str, str | float | None]:
    scores = [positive.score for positive in triple.positives if positive.score is not None]
    writer = query.lineage.writer if query.lineage else None
    return {
        "place": query_place(query),
        "query": query.query,
        "task": query.task_type,
        "lang": query.lang,
        "source": canonical_json([query.dataset, query.origin, writer]).decode(),
        "best": max(scores, default=None),
    }


def packed(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yields the pieces of one scope as blocks of about `BLOCK_ROWS` rows."""
    block: Piece | None = None
    for piece in sorted(pieces, key=lambda each: each.paths):
        if block is None:
            block = piece
        elif block.rows + piece.rows > BLOCK_ROWS:
            yield block
            block = piece
        else:
            block = Piece(block.scope, block.paths + piece.paths, block.rows + piece.rows)
    if block is not None:
        yield block


def read_rows(block: Piece, columns: Sequence[str] | None = None) -> pa.Table:
    """Returns the rows of a block: the columns of a triple and those beside it."""
    tables = []
    for path in block.paths:
        with open_parquet(path) as parquet:
            tables.append(parquet.read(columns=list(columns) if columns else None))
    return pa.concat_tables(tables)


def uncount(writer: StageWriter, rows: pa.Table) -> None:
    """Takes back what was counted of selected rows that a later rule drops, so that counts are of rows that stay."""
    for row in rows.select(["positives", "negatives", "short"]).to_pylist():
        known = sum(1 for negative in row["negatives"] if negative["miner"] == "known")
        numbers = {
            "positives": len(row["positives"]),
            "known_negatives": known,
            "mined_negatives": len(row["negatives"]) - known,
            f"short_{row['short']}": 0 if row["short"] is None else 1,
        }
        for name, number in numbers.items():
            if number:
                writer.count(name, -number)


def triples_of(rows: pa.Table) -> pa.Table:
    """Returns rows of a block as the table `triples` has them."""
    return rows.select(table_schema("triples").names)
