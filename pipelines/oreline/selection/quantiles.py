"""The gate `score_quantile`: rows go whose best positive scores lowest among the rows of their source.

Exact, and the same whatever the order of rows: all scores of a source are sorted, 16 bytes each, before a row goes;
the rows themselves wait on disk.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline import files
from oreline.ids import Json
from oreline.job import Job, StageWriter
from oreline.records import Reject
from oreline.selection import rates
from oreline.selection.aside import REPORT, Piece, aside_again, read_rows, triples_of, uncount

BINS = 20
MOST_SOURCES = 50
"""Sources whose histograms the manifest holds: those with the most rows."""

_STOPPED = "select was stopped; it starts over"


def threshold(scores: npt.NDArray[np.float64], below: float) -> float:
    """Returns the least score that stays: at most the share `below` (0 to 1) of the scores lie under it."""
    return float(np.sort(scores)[math.floor(below * len(scores))])


def histogram(scores: npt.NDArray[np.float64], least: float | None) -> dict[str, Json]:
    """Returns the bins of a source's scores as the manifest states them; `least` is the score that stays."""
    numbers, edges = np.histogram(scores, BINS)
    return {
        "rows": len(scores),
        "threshold": None if least is None else round(least, 6),
        "from": round(float(edges[0]), 6),
        "to": round(float(edges[-1]), 6),
        "bins": [int(number) for number in numbers],
    }


@dataclass(frozen=True)
class Quantiles:
    """The steps of one job, as functions of references."""

    job: Job

    def gather(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yields the path of the thresholds by source under 0, and a report with the histograms, from all pieces."""
        settings = self.job.recipe.select.gates.score_quantile
        if settings is None:
            return
        found = _scores(Piece.decode(encoded) for encoded in sorted(keyed[1]))
        least = {
            source: threshold(scores, settings.below)
            for source, scores in found.items()
            if settings.human or json.loads(source)[1] != "human"
        }
        path = self.job.scratch("thresholds") + ".json"
        files.write_atomically(path, json.dumps(least).encode())
        yield 0, path.encode()
        largest = sorted(found, key=lambda source: (-len(found[source]), source))[:MOST_SOURCES]
        told: dict[str, Json] = {
            " ".join(each for each in json.loads(source) if each): histogram(found[source], least.get(source))
            for source in largest
        }
        writer = StageWriter(self.job)
        writer.fact("score_quantile", told)
        yield REPORT, writer.close().encode()

    def keep(self, encoded: bytes, thresholds: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Drops the rows of a piece that lie too low; yields the report, and the others put aside if they go on."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            yield REPORT, writer.close(stopped="interrupted", message=_STOPPED).encode()
            return
        piece = Piece.decode(encoded)
        rows = read_rows(piece)
        (path,) = (path for key, path in thresholds if key != REPORT)
        least = cast("dict[str, float]", json.loads(files.read_bytes(path.decode())))
        limits = pa.array([least.get(source) for source in rows.column("source").to_pylist()], pa.float64())
        low = pc.fill_null(pc.less(rows.column("best"), limits), fill_value=False)
        for row, limit in zip(rows.filter(low).to_pylist(), limits.filter(low).to_pylist(), strict=True):
            _drop(writer, row, limit)
        uncount(writer, rows.filter(low))
        kept = rows.filter(pc.invert(low))
        if self.job.recipe.select.near_queries is None:
            writer.arrow("triples", triples_of(kept))
            writer.kept(kept.column("query_id").to_pylist())
        elif kept.num_rows:
            again = aside_again(self.job, piece, kept)
            yield again.key, again.encode()
        yield REPORT, writer.close().encode()


def _scores(pieces: Iterable[Piece]) -> dict[str, npt.NDArray[np.float64]]:
    blocks: dict[str, list[npt.NDArray[np.float64]]] = {}
    for piece in pieces:
        rows = read_rows(piece, ["source", "best"])
        rows = rows.filter(pc.is_valid(rows.column("best")))
        for source in rows.column("source").unique().to_pylist():
            own = rows.filter(pc.equal(rows.column("source"), source)).column("best")
            blocks.setdefault(source, []).append(own.to_numpy())
    return {source: np.concatenate(found) for source, found in blocks.items()}


def _drop(writer: StageWriter, row: dict[str, object], limit: float) -> None:
    detail = f"its best positive scores {row['best']:.4f}, rows of its source stay from {limit:.4f}"
    query_id = str(row["query_id"])
    writer.dropped(query_id, Reject(query_id, "triples", "low_score", detail, None, str(row["query"])))
    lang = row["lang"]
    rates.tally(writer, str(row["dataset"]), str(row["task"]), None if lang is None else str(lang), "dropped")
