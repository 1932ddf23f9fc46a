"""Tags: short hashes by which queries leave documents out, so that a join of tags finds all of them.

Each document carries tags of what it is; each query, tags of what it leaves out (or of its positives' siblings).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline import normalise
from oreline.records import Content
from oreline.search.scores import Int64
from oreline.search.shards import Pairs

Kind = Literal["id", "content", "text", "whole", "said", "group", "made", "cut"]
TAG = pa.binary(16)

DOCUMENT_COLUMNS = (
    "doc_id",
    "dataset",
    "text",
    "content_hash",
    "text_hash",
    "content",
    "parent_id",
    "group",
    "origin",
    "searchable",
)


@dataclass(frozen=True)
class Described:
    """What mining needs to know of a document."""

    doc_id: str
    dataset: str
    text: str
    content_hash: str
    text_hash: str
    content: str
    parent_id: str | None
    group: str | None
    origin: str
    searchable: bool

    @property
    def source(self) -> str | None:
        """The document that this one was made from by a stage, if it was."""
        return self.parent_id if self.origin == "generated" else None


def described(rows: pa.Table) -> list[Described]:
    """Returns the rows of a `documents` table with at least `DOCUMENT_COLUMNS`."""
    columns = [rows.column(name).to_pylist() for name in DOCUMENT_COLUMNS]
    return [Described(*values) for values in zip(*columns, strict=True)]


def tag(kind: Kind, *parts: str) -> bytes:
    """Returns a tag, 16 bytes."""
    text = "\0".join((kind, *parts))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def document_tags(document: Described, title: str | None = None) -> list[bytes]:
    """Returns what a document of the corpus is known by; with a title, by title and text as one text too."""
    tags = [
        tag("id", document.doc_id),
        tag("content", document.content_hash),
        tag("text", document.text_hash),
        tag("said", normalise.query_hash(document.text)),
    ]
    if document.group is not None:
        tags.append(tag("group", document.dataset, document.group, document.content))
    if document.parent_id is not None:
        tags.append(tag("cut", document.dataset, document.parent_id))
    if document.source is not None:
        tags.append(tag("made", document.source))
    if title is not None:
        whole = normalise.text_hash(f"{title}\n{document.text}", cast("Content", document.content))
        tags.append(tag("whole", whole))
    return tags


def text_tags(text: str) -> list[bytes]:
    """Returns what a document is known by that has this text, as text or as code, with its title before it or not."""
    contents: tuple[Content, ...] = ("text", "code")
    hashes = [normalise.text_hash(text, content) for content in contents]
    return [*(tag("text", each) for each in hashes), *(tag("whole", each) for each in hashes)]


def query_tags(query: str, positives: Iterable[Described], sources: Iterable[Described]) -> set[bytes]:
    """Returns the tags of all that a query leaves out before its top k.

    `positives` are its own and those of equal queries; `sources` the documents that they were made from.
    """
    contents: tuple[Content, ...] = ("text", "code")
    tags = {tag("text", normalise.text_hash(query, content)) for content in contents}
    tags.add(tag("said", normalise.query_hash(query)))
    for positive in positives:
        tags |= {tag("id", positive.doc_id), tag("made", positive.doc_id), tag("content", positive.content_hash)}
        if positive.group is not None:
            tags.add(tag("group", positive.dataset, positive.group, positive.content))
        if positive.source is not None:
            tags |= {tag("id", positive.source), tag("made", positive.source)}
    tags |= {tag("content", source.content_hash) for source in sources}
    return tags


def sibling_tags(positives: Iterable[Described], sources: Iterable[Described]) -> set[bytes]:
    """Returns the tags of the positives' siblings: other chunks of their parents, the parents, and their own chunks."""
    tags: set[bytes] = set()
    for document in (*positives, *sources):
        tags.add(tag("cut", document.dataset, document.doc_id))
        if document.parent_id is not None:
            tags |= {tag("cut", document.dataset, document.parent_id), tag("id", document.parent_id)}
    return tags


class TagIndex:
    """The tags of a block of queries, to be matched with the tags of shards."""

    def __init__(self, tags: Sequence[set[bytes]]) -> None:
        rows_of: dict[bytes, list[int]] = {}
        for row, mine in enumerate(tags):
            for each in mine:
                rows_of.setdefault(each, []).append(row)
        self._unique = pa.array(list(rows_of), TAG)
        self._rows = np.array([row for rows in rows_of.values() for row in rows], np.int64)
        self._counts = np.array([len(rows) for rows in rows_of.values()], np.int64)
        self._starts = np.cumsum(self._counts) - self._counts

    def pairs(self, tags: pa.Array) -> Int64:
        """Returns how many pairs `match` gives with the documents before each; one more entry for all of them."""
        found = pc.index_in(tags.flatten(), value_set=self._unique)
        documents = np.asarray(pc.list_parent_indices(tags), np.int64)[np.asarray(pc.is_valid(found))]
        counts = self._counts[np.asarray(found.filter(pc.is_valid(found)), np.int64)]
        per_document = np.bincount(documents, weights=counts, minlength=len(tags)).astype(np.int64)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(per_document)])

    def match(self, tags: pa.Array) -> Pairs:
        """Returns the (query, document) pairs that share a tag; `tags` is a list of tags per document."""
        found = pc.index_in(tags.flatten(), value_set=self._unique)
        documents = np.asarray(pc.list_parent_indices(tags), np.int64)
        hit = np.asarray(pc.is_valid(found))
        which = np.asarray(found.filter(pc.is_valid(found)), np.int64)
        counts = self._counts[which]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = self._rows[np.repeat(self._starts[which], counts) + offsets]
        return Pairs(rows, np.repeat(documents[hit], counts))
