"""The documents of a hash range: one id, one text; what is kept becomes rows, cut into chunks where asked."""

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, replace

from oreline.chunking.chunks import Chunk, chunk_document
from oreline.chunking.tokens import estimate_tokens
from oreline.ids import chunk_id, unit_hash
from oreline.job import StageWriter
from oreline.normalise import content_hash, text_hash
from oreline.recipe.settings import Chunking, Source
from oreline.records import Document, Reject
from oreline.sources.discovery import dataset_name
from oreline.sources.found import FoundDocument, Standing, safe

CHUNKS_AT_ONCE = 4096


class DocumentShelf:
    """Settles documents and writes their rows.

    `limits` gives, for each source with a limit, the largest hash of an id that is kept.
    """

    def __init__(self, writer: StageWriter, sources: list[Source], limits: Mapping[int, int]) -> None:
        self._writer = writer
        self._sources = sources
        self._datasets = [dataset_name(source) for source in sources]
        self._limits = limits

    def settle(self, found: Iterable[FoundDocument]) -> dict[str, Standing]:
        """Tells every document's fate, writes those kept, and returns how each id stands."""
        by_id: dict[str, list[FoundDocument]] = defaultdict(list)
        for document in found:
            by_id[document.doc_id].append(document)
        return {doc_id: self._settle_one(same) for doc_id, same in by_id.items()}

    def _settle_one(self, same: list[FoundDocument]) -> Standing:
        told = [document.unit for document in same if document.told]
        first = same[0] if len(same) == 1 else min(same, key=_content_order)
        limit = self._limits.get(first.source)
        if limit is not None and unit_hash(first.doc_id) > limit:
            self._writer.counted_over(told)
            return "over"
        if len({_text(document) for document in same}) > 1:
            self._reject(same)
            return "rejected"
        rows = self._rows(first)
        for block in rows:
            self._writer.rows("documents", block)
        for unit in told:
            if unit == first.unit:
                self._writer.kept([unit])
            else:
                self._writer.merged(unit, first.unit)
        return "found"

    def _reject(self, same: list[FoundDocument]) -> None:
        places = sorted(document.unit for document in same)
        for document in same:
            others = [place for place in places if place != document.unit]
            reject = Reject(
                row_id=document.unit,
                table="documents",
                reason="conflicting_id",
                detail=f"{document.doc_id} stands for different texts, also in {_some(others)}",
                by=others[0] if others else None,
                payload=safe(json.dumps({"title": document.title, "text": document.text[:10_000]}, ensure_ascii=False)),
            )
            if document.told:
                self._writer.dropped(document.unit, reject)
            else:
                self._writer.reject(reject)

    def _rows(self, found: FoundDocument) -> Iterator[list[Document]]:
        source = self._sources[found.source]
        whole = self._row(found, source)
        if found.markup is None:
            yield [hashed(whole)]
            return
        budget = (source.chunking or Chunking()).tokens
        chunks = chunk_document(found.title, found.text, found.markup, budget)
        for start in range(0, len(chunks), CHUNKS_AT_ONCE):
            block = chunks[start : start + CHUNKS_AT_ONCE]
            yield [_chunk_row(whole, start + place, chunk) for place, chunk in enumerate(block)]

    def _row(self, found: FoundDocument, source: Source) -> Document:
        return Document(
            doc_id=found.doc_id,
            dataset=self._datasets[found.source],
            text=found.text,
            content_hash="",
            text_hash="",
            title=found.title,
            content=source.holds,
            lang=found.lang,
            parent_id=found.parent_id,
            position=found.position,
            group=found.group,
            metadata=found.metadata,
        )


def hashed(row: Document) -> Document:
    """Returns the row with its hashes and its length."""
    return replace(
        row,
        content_hash=content_hash(row.title, row.text, row.content),
        text_hash=text_hash(row.text, row.content),
        tokens=estimate_tokens(row.text),
    )


def _chunk_row(whole: Document, position: int, chunk: Chunk) -> Document:
    return hashed(
        replace(
            whole,
            doc_id=chunk_id(whole.doc_id, position),
            title=chunk.title,
            text=chunk.text,
            parent_id=whole.parent_id or whole.doc_id,
            position=position,
        )
    )


def _text(document: FoundDocument) -> tuple[str, str]:
    return unicodedata.normalize("NFC", document.title or ""), unicodedata.normalize("NFC", document.text)


def _content_order(document: FoundDocument) -> tuple[str, ...]:
    """Orders equal documents by what they hold, so that the order of rows decides only between equal ones."""
    content = [repr(value) for value in astuple(replace(document, unit=""))]
    return (*content, document.unit)


def _some(places: list[str]) -> str:
    shown = ", ".join(places[:3])
    return shown if len(places) <= 3 else f"{shown} and {len(places) - 3} more"
