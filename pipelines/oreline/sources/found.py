"""What a source's rows become before they meet: documents, queries and pairs, with the row that they came from."""

import math
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

from oreline.chunking.chunks import Markup
from oreline.ids import document_id, row_id, sha256_json
from oreline.recipe.settings import Source
from oreline.records import Label, Reject

Standing = Literal["waiting", "found", "over", "unknown", "rejected"]
"""What is known of a pair's document: nothing yet, that it is kept, passed over, not there, or was rejected."""


@dataclass(frozen=True)
class FoundDocument:
    """A document before chunking.

    `told` says that its row stands for it alone, so that its fate is the row's. `markup` is how it is to be cut into
    chunks; None if it is not.
    """

    unit: str
    source: int
    told: bool
    doc_id: str
    title: str | None
    text: str
    lang: str | None
    parent_id: str | None
    group: str | None
    metadata: str | None
    markup: Markup | None
    position: int | None = None


@dataclass(frozen=True)
class FoundQuery:
    """A query. `whole_row` says that its row brought the documents too, so that its fate is all of theirs."""

    unit: str
    source: int
    whole_row: bool
    query_id: str
    query: str
    lang: str | None


@dataclass(frozen=True)
class FoundPair:
    """A judgement; `told` as in FoundDocument. `query_bucket` is where it meets its query."""

    unit: str
    source: int
    told: bool
    query_id: str
    doc_id: str
    label: Label
    grade: float | None
    split: str
    standing: Standing
    query_bucket: int = 0


@dataclass(frozen=True)
class Found:
    """What one row or file gave. A row with `reject` is dropped whole; `asides` are parts of it that were left out."""

    unit: str
    documents: tuple[FoundDocument, ...] = ()
    queries: tuple[FoundQuery, ...] = ()
    pairs: tuple[FoundPair, ...] = ()
    reject: Reject | None = None
    asides: tuple[Reject, ...] = ()
    passed_over: bool = False


@dataclass(frozen=True)
class Place:
    """A row of a file of a source: `line` is its line or row from 1, or None where the file is the row."""

    source: Source
    index: int
    dataset: str
    relative: str
    line: int | None = None
    chunked: bool = field(default=False)

    @property
    def unit(self) -> str:
        """The id of the row or file."""
        if self.line is None:
            return f"{self.dataset}/{self.relative}"
        return row_id(self.dataset, self.relative, self.line)

    def own_id(self, own: str) -> str:
        """Returns an id of this dataset."""
        return f"{self.dataset}/{own}"

    def document_id(self, own: str | None, title: str | None, text: str) -> str:
        """Returns a document's id, by its own id or its content."""
        return document_id(self.dataset, own, title, text)

    def query_id(self, own: str | None, query: str) -> str:
        """Returns a query's id: by its own id, else sha256 of the JSON [query] in NFC, whatever its line."""
        return self.own_id(own if own is not None else sha256_json([unicodedata.normalize("NFC", query)]))

    def rejected(self, table: str, reason: str, detail: str, payload: str | None = None) -> Reject:
        """Returns the reject of this row; its detail begins with file and line."""
        where = self.relative if self.line is None else f"{self.relative}:{self.line}"
        return Reject(self.unit, table, reason, safe(f"{where}: {detail}"), None, safe(payload) if payload else None)

    def drop(self, table: str, reason: str, detail: str, payload: str | None = None) -> Found:
        """Returns what a row gives that is dropped whole."""
        return Found(self.unit, reject=self.rejected(table, reason, detail, payload))


def safe(text: str) -> str:
    """Returns the text with lone surrogates written out, at most 10,000 characters: Arrow refuses them."""
    return text[:10_000].encode("utf-8", "backslashreplace").decode()


def label_of(grade: float, positive_from: float) -> Label:
    """Returns what a grade means: positive from `positive_from` on, negative at 0 or less, partial between."""
    if not math.isfinite(grade):
        raise ValueError(f"a grade is a finite number, found {grade}")
    if grade <= 0:
        return "negative"
    return "positive" if grade >= positive_from else "partial"
