"""Training rows held against the benchmarks: what is dropped, and a row of `contamination` for every match."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.decontamination.index import Index, excerpt
from oreline.decontamination.layout import TRAIN
from oreline.decontamination.matching import Match, find_matches
from oreline.decontamination.verdicts import drops_document, drops_query, strongest
from oreline.ids import Json
from oreline.job import StageWriter
from oreline.recipe.settings import Decontaminate
from oreline.records import BenchmarkMatch, BenchmarkRole, Contamination, Content, Query, Reject

Table = Literal["documents", "queries"]

_BLOCK_ROWS = 4_096
_BLOCK_BYTES = 16 * 2**20
_ROLES: dict[BenchmarkRole, str] = {
    "query": "the test query",
    "relevant": "the relevant document",
    "other": "the document",
    "text": "the text",
}
_MATCHES: dict[BenchmarkMatch, str] = {
    "exact": "equals",
    "contains": "contains {share:.0%} of the words of",
    "contained": "is contained with {share:.0%} of its words in",
    "near": "has a similarity of {share:.2f} (character 5-grams) with",
}


@dataclass(frozen=True)
class Screen:
    """Compares training rows with an index; the index is one of all benchmarks of `settings`."""

    index: Index
    settings: Decontaminate

    def documents(self, documents: pa.Table, writer: StageWriter) -> set[str]:
        """Returns the ids of the documents that are dropped; tells their fate and writes all matches."""
        self._state_facts(writer)
        dropped: set[str] = set()
        for block in _blocks(documents):
            for place, matches in self._matched(block):
                row = block.slice(place, 1).to_pylist()[0]
                whole = f"{row['title']}\n{row['text']}" if row["title"] else row["text"]
                reject = self._report("documents", row["doc_id"], whole, matches, writer)
                if reject is not None:
                    writer.dropped(reject.row_id, reject)
                    dropped.add(reject.row_id)
        return dropped

    def queries(self, queries: Sequence[Query], writer: StageWriter) -> dict[str, Reject]:
        """Returns a reject for each query to drop, by id; writes all matches. The caller tells the fates."""
        self._state_facts(writer)
        rejects: dict[str, Reject] = {}
        for start in range(0, len(queries), _BLOCK_ROWS):
            block = queries[start : start + _BLOCK_ROWS]
            matches = find_matches(
                self.index, pa.array([each.query for each in block], pa.string()), "text", self.settings
            )
            for place, found in groupby(matches, key=lambda each: each.row):
                query = block[place]
                reject = self._report(
                    "queries", query.query_id, query.query, list(found), writer, train=query.split == TRAIN
                )
                if reject is not None:
                    rejects[query.query_id] = reject
        return rejects

    def _matched(self, documents: pa.Table) -> Iterator[tuple[int, list[Match]]]:
        """Yields the place of each document with matches, and those."""
        contents = documents.column("content")
        for content in sorted(cast("list[Content]", pc.unique(contents).to_pylist())):
            places = np.flatnonzero(pc.equal(contents, content).to_numpy(zero_copy_only=False))
            texts, titles = (
                documents.column(name).take(pa.array(places)).combine_chunks() for name in ("text", "title")
            )
            matches = find_matches(self.index, texts, content, self.settings, titles)
            for row, group in groupby(matches, key=lambda each: each.row):
                yield int(places[row]), list(group)

    def _report(
        self, table: Table, row_id: str, text: str, matches: list[Match], writer: StageWriter, *, train: bool = True
    ) -> Reject | None:
        """Writes the matches of a training row and returns its reject if it is dropped for one of them."""
        drops: Callable[[Decontaminate, BenchmarkRole, BenchmarkMatch], bool]
        drops = drops_query if table == "queries" else drops_document
        decisive = [each for each in matches if train and drops(self.settings, each.role, each.match)]
        shown = strongest(matches, self.settings, table)
        writer.rows("contamination", [self._row(table, row_id, text, each, bool(decisive)) for each in shown])
        for benchmark in sorted({each.benchmark for each in matches}):
            causes = any(each.benchmark == benchmark for each in decisive)
            writer.count(f"contaminated/{self._name(benchmark)}/{table}/{'dropped' if causes else 'reported'}")
        if not decisive:
            return None
        return self._reject(table, row_id, text, next(each for each in shown if each in decisive))

    def _row(self, table: Table, row_id: str, text: str, match: Match, dropped: bool) -> Contamination:  # noqa: FBT001 - a column
        texts = self.index.texts
        return Contamination(
            row_id=row_id,
            table=table,
            benchmark=self._name(match.benchmark),
            test_row=texts.labels[match.text].as_py(),
            role=match.role,
            match=match.match,
            share=round(match.share, 6),
            dropped=dropped,
            text=excerpt(None, text),
            test_text=texts.excerpts[match.text].as_py(),
            equal_rows=int(texts.equal_rows[match.text]),
            task=cast("str | None", self.index.facts[match.benchmark]["task"]),
        )

    def _reject(self, table: Table, row_id: str, text: str, match: Match) -> Reject:
        label = self.index.texts.labels[match.text].as_py()
        name = self._name(match.benchmark)
        found = _MATCHES[match.match].format(share=match.share)
        seen = self.index.texts.excerpts[match.text].as_py()
        detail = f"{found} {_ROLES[match.role]} {label} of benchmark {name}: {seen!r}"
        return Reject(row_id, table, "contaminated", detail, f"{name}/{label}", text)

    def _name(self, benchmark: int) -> str:
        return str(self.index.facts[benchmark]["name"])

    def _state_facts(self, writer: StageWriter) -> None:
        writer.fact("benchmarks", cast("Json", self.index.facts))


def _blocks(documents: pa.Table) -> Iterator[pa.Table]:
    """Yields the documents in blocks of bounded size: each block's normal forms are held at once."""
    sizes = pc.binary_length(documents.column("text")).to_numpy()
    start = held = 0
    for place, size in enumerate(sizes.tolist()):
        if place > start and (place - start == _BLOCK_ROWS or held + size > _BLOCK_BYTES):
            yield documents.slice(start, place - start)
            start, held = place, 0
        held += size
    if start < len(sizes):
        yield documents.slice(start)
