"""The queries of a hash range and their judgements: what is kept, and the fate of every row that brought them."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from oreline.job import StageWriter
from oreline.normalise import query_hash
from oreline.recipe.settings import Source
from oreline.records import Label, Pair, Query, Reject
from oreline.sources.discovery import dataset_name
from oreline.sources.found import FoundPair, FoundQuery

_LABEL_ORDER: dict[Label, int] = {"positive": 0, "partial": 1, "negative": 2}
_SPLIT_ORDER = {"test": 0, "dev": 1, "validation": 1, "val": 1, "valid": 1, "train": 3}
_OTHER_SPLIT = 2


@dataclass
class _Group:
    """One query id: the queries that bear it and the pairs that name it."""

    queries: list[FoundQuery] = field(default_factory=list)
    pairs: list[FoundPair] = field(default_factory=list)


class QueryShelf:
    """Settles queries and pairs and writes their rows."""

    def __init__(self, writer: StageWriter, sources: list[Source]) -> None:
        self._writer = writer
        self._sources = sources
        self._datasets = [dataset_name(source) for source in sources]

    def settle(self, queries: Iterable[FoundQuery], pairs: Iterable[FoundPair]) -> None:
        """Tells the fate of every query and pair, and of the rows that brought a query with its documents."""
        groups: dict[str, _Group] = defaultdict(_Group)
        for query in queries:
            groups[query.query_id].queries.append(query)
        for pair in pairs:
            groups[pair.query_id].pairs.append(pair)
        for group in groups.values():
            self._settle_one(group)

    def _settle_one(self, group: _Group) -> None:
        standing = [pair for pair in group.pairs if self._document_stands(pair)]
        texts = {unicodedata.normalize("NFC", query.query) for query in group.queries}
        if len(texts) != 1:
            self._unknown(standing, "conflicts" if texts else "is not there")
            self._conflicting(group)
        elif not standing:
            self._unjudged(group)
        else:
            self._write(group, standing)

    def _document_stands(self, pair: FoundPair) -> bool:
        """Says whether the pair's document is kept; tells the pair's fate if it is not."""
        if pair.standing == "found":
            return True
        if pair.standing == "over":
            if pair.told:
                self._writer.counted_over([pair.unit])
            return False
        what = "was rejected" if pair.standing == "rejected" else "is not in the source"
        self._drop_pair(pair, "unknown_document", f"the document {pair.doc_id} {what}")
        return False

    def _drop_pair(self, pair: FoundPair, reason: str, detail: str) -> None:
        payload = f"{pair.query_id}\t{pair.doc_id}\t{pair.grade}"
        reject = Reject(pair.unit, "pairs", reason, f"{pair.unit}: {detail}", None, payload)
        if pair.told:
            self._writer.dropped(pair.unit, reject)
        else:
            self._writer.reject(reject)

    def _unknown(self, standing: list[FoundPair], why: str) -> None:
        for pair in standing:
            self._drop_pair(pair, "unknown_query", f"the query {pair.query_id} {why}")

    def _conflicting(self, group: _Group) -> None:
        written = {pair.unit for pair in group.pairs if pair.standing == "found"}
        places = sorted(query.unit for query in group.queries)
        for query in group.queries:
            other = next((place for place in places if place != query.unit), None)
            detail = f"{query.unit}: {query.query_id} stands for different queries, also in {other}"
            reject = Reject(query.unit, "queries", "conflicting_id", detail, other, query.query)
            if query.whole_row and query.unit in written:
                self._writer.reject(reject)  # its documents stand, so the row is not lost
                self._writer.kept([query.unit])
            else:
                self._writer.dropped(query.unit, reject)

    def _unjudged(self, group: _Group) -> None:
        """Tells the fate of queries without a judgement: of the splits' choice and the limit, or of the data."""
        by_rule = any(pair.standing == "over" for pair in group.pairs)
        for query in group.queries:
            if by_rule or self._sources[query.source].split is not None:
                self._writer.passed_over(query.unit)
                continue
            why = f"all of its {len(group.pairs)} judgements were rejected" if group.pairs else "nothing is judged"
            reason = "unknown_document" if query.whole_row else "no_judgement"
            detail = f"{query.unit}: {why} for the query {query.query_id}"
            self._writer.dropped(query.unit, Reject(query.unit, "queries", reason, detail, None, query.query))

    def _write(self, group: _Group, standing: list[FoundPair]) -> None:
        contributing = self._write_pairs(standing)
        first = min(group.queries, key=lambda query: (query.query, query.lang or "", query.unit))
        source = self._sources[first.source]
        row = Query(
            query_id=first.query_id,
            dataset=self._datasets[first.source],
            query=first.query,
            query_hash=query_hash(first.query),
            task_type=source.task_type,
            instruction=source.instruction,
            lang=first.lang,
            split=min((pair.split for pair in standing), key=_split_order),
        )
        self._writer.rows("queries", [row])
        for query in group.queries:
            if query is first or (query.whole_row and query.unit in contributing):
                self._writer.kept([query.unit])
            else:
                self._writer.merged(query.unit, first.unit)

    def _write_pairs(self, standing: list[FoundPair]) -> set[str]:
        """Writes one pair per document, the highest grade of several; returns the units that brought them."""
        by_document: dict[str, list[FoundPair]] = defaultdict(list)
        for pair in standing:
            by_document[pair.doc_id].append(pair)
        contributing: set[str] = set()
        for same in by_document.values():
            first = min(same, key=_pair_order)
            row = Pair(first.query_id, first.doc_id, first.label, "human", first.grade)
            self._writer.rows("pairs", [row])
            contributing.add(first.unit)
            for pair in same:
                if not pair.told:
                    continue
                if pair is first:
                    self._writer.kept([pair.unit])
                else:
                    self._writer.merged(pair.unit, first.unit)
        return contributing


def _pair_order(pair: FoundPair) -> tuple[int, float, str]:
    return _LABEL_ORDER[pair.label], -(pair.grade or 0.0), pair.unit


def _split_order(split: str) -> tuple[int, str]:
    """Orders splits so that an evaluation split comes first: a query that is judged in two must not be trained on."""
    return _SPLIT_ORDER.get(split, _OTHER_SPLIT), split
