"""Caps: how many positive pairs a document, and a text wherever it stands, may have.

pairs by range of texts -> decisions by range of queries -> applied to those. Only queries of split train count: a test
set is not made smaller.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from oreline.filters.books import Withdrawn, withdraw
from oreline.filters.decided import about, to_queries
from oreline.filters.duplicates import text_hashes
from oreline.filters.equal import TRAIN
from oreline.filters.judged import JudgedQuery, Thinned, stays_first
from oreline.ids import bucket_of, seeded_fraction
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Caps, Recipe
from oreline.shuffle import Reference, Scatter, gather

_RANGE_ROWS = 1_000_000
_ROWS = pa.schema([("text", pa.string()), ("doc_id", pa.string()), ("place", pa.string()), ("row", pa.string())])
_CAPPED = pa.schema([("row", pa.string()), ("doc_id", pa.string()), ("reason", pa.string()), ("pairs", pa.int64())])
_UNRATED = 9


def caps_of(recipe: Recipe) -> Caps | None:
    """Returns the recipe's caps, or None if it has none."""
    caps = recipe.filter.caps
    return caps if caps.per_document is not None or caps.per_paragraph is not None else None


@dataclass(frozen=True)
class PairCaps:
    """The caps of one job."""

    job: Job

    def prepare(self, queries: Sequence[JudgedQuery]) -> Iterator[Reference]:
        """Yields references to the positive pairs of some queries, by range of texts."""
        chosen = [judged for judged in queries if judged.query.split == TRAIN]
        texts = text_hashes(self.job, chosen)
        rows = []
        for judged in chosen:
            for doc_id in judged.positives:
                # By the document's dataset, not the query's: all pairs of a document are in one range.
                text = json.dumps([doc_id.partition("/")[0], texts.get(doc_id, doc_id)])
                rows.append((text, doc_id, self._place(judged, doc_id), _name(judged, doc_id)))
        ranges = 1 + sum(part.rows for part in self.job.parts("pairs")) // _RANGE_ROWS
        table = pa.table([list(column) for column in zip(*rows, strict=True)] or [[], [], [], []], schema=_ROWS)
        scatter = Scatter(self.job, "capped")
        yield from scatter.write([bucket_of(text, ranges) for text, *_ in rows], table)
        yield from scatter.close()

    def decide(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields references to the pairs of a range of texts that are over a cap, by range of queries."""
        rows = gather(keyed[1])["capped"].sort_by([("text", "ascending"), ("place", "ascending")])
        over = list(_over(rows, self.job.recipe.filter.caps))
        columns = [list(column) for column in zip(*over, strict=True)] or [[], [], [], []]
        yield from to_queries(self.job, pa.table(columns, schema=_CAPPED), (json.loads(row)[0] for row, *_ in over))

    def apply(self, writer: StageWriter, queries: Sequence[JudgedQuery], decisions: pa.Table | None) -> Thinned:
        """Withdraws the pairs that are over; a query without another positive goes with them."""
        owners = {_name(judged, doc_id): judged.query.query_id for judged in queries for doc_id in judged.positives}
        gone: dict[str, list[Withdrawn]] = {}
        for told in about(decisions, owners, _CAPPED).to_pylist():
            cap = "per_document" if told["reason"] == "over_document_cap" else "per_paragraph"
            limit = getattr(self.job.recipe.filter.caps, cap)
            subject = "it" if cap == "per_document" else "its text"
            detail = f"{subject} has {told['pairs']:,} positive pairs, filter.caps.{cap} is {limit:,}"
            gone.setdefault(owners[told["row"]], []).append(
                Withdrawn(told["doc_id"], told["reason"], detail, told["doc_id"])
            )
        return Thinned(withdraw(writer, queries, gone))

    def _place(self, judged: JudgedQuery, doc_id: str) -> str:
        """Returns a string that sorts as pairs stay: by origin, then by rating if asked, then as drawn."""
        origin, query_id = stays_first(judged.query)
        rating = judged.query.rating
        by_rating = self.job.recipe.filter.caps.choose == "rating" and rating is not None
        rank = _UNRATED - 1 - rating.grade if by_rating and rating is not None else _UNRATED
        drawn = seeded_fraction(self.job.recipe.seed, "caps", query_id, doc_id)
        return f"{origin}{rank}{drawn:.17f}{_name(judged, doc_id)}"


def _name(judged: JudgedQuery, doc_id: str) -> str:
    return json.dumps([judged.query.query_id, doc_id], ensure_ascii=False)


def _over(rows: pa.Table, caps: Caps) -> Iterator[tuple[str, str, str, int]]:
    """Yields (row, document, reason, positive pairs of the document or text) of the rows over a cap."""
    columns = [rows.column(name).to_pylist() for name in ("text", "doc_id", "row")]
    of_document, of_text = Counter(columns[1]), Counter(columns[0])
    document_pairs: Counter[str] = Counter()
    text_pairs: Counter[str] = Counter()
    for text, doc_id, row in zip(*columns, strict=True):
        if caps.per_document is not None and document_pairs[doc_id] >= caps.per_document:
            yield row, doc_id, "over_document_cap", of_document[doc_id]
        elif caps.per_paragraph is not None and text_pairs[text] >= caps.per_paragraph:
            yield row, doc_id, "over_paragraph_cap", of_text[text]
        else:
            document_pairs[doc_id] += 1
            text_pairs[text] += 1
