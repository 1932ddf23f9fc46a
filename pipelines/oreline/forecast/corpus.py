"""What a recipe's sources would give, from reading them, or some of their files: documents, queries, lengths."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa

from oreline.chunking.chunks import chunk_document
from oreline.forecast.ranges import Range
from oreline.ids import seeded_fraction
from oreline.recipe.settings import Chunking, Source
from oreline.records import Document
from oreline.sources.discovery import brings_pairs, chunking_of, dataset_name, find_files, guess_format
from oreline.sources.documents import hashed
from oreline.sources.formats import plain_name
from oreline.sources.found import Found, FoundDocument, Place
from oreline.sources.lines import open_plain
from oreline.sources.listed import SourceFile
from oreline.sources.reading import read_file
from oreline.tables.reading import open_parquet

MOST_ROWS = 10_000
"""So many rows of a file are read at most."""

MOST_SECONDS = 10.0
"""So long a source is read at most."""

SAMPLE = 256
_LOOKED_AT = 64
_PARTIAL = Range(0.8, 1.0, 1.25)
_LOSSES = Range(0.97, 1.0, 1.0)
_STAY_WITH_A_DOCUMENT = Range(0.7, 1.0, 3.0)
"""Queries that stay for each document that does, under `limit`: more than one where queries have many positives."""

_HEAD_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset between two stages: documents, people's queries, whether there are pairs.

    `sample` are some of its documents, for their lengths.
    """

    documents: Range
    queries: Range
    pairs: bool
    sample: tuple[Document, ...] = ()


@dataclass
class _Reading:
    """What was read of a source: numbers of documents and queries, of files read in part as far as their size says."""

    documents: float = 0.0
    queries: float = 0.0
    size: int = 0
    sample: list[Document] = field(default_factory=list)
    whole: bool = True


def survey(source: Source, index: int, clock: Callable[[], float] = time.monotonic) -> Dataset:
    """Returns what a source will give: counted where it is small, else from some of it and its share in bytes.

    Raises SourceError or CallError if it cannot be read.
    """
    form = guess_format(source)
    files = [each for each in find_files(source) if not each.relative.startswith("qrels/")]
    # Spread over the source: a limit of time should not mean the first folder alone.
    files.sort(key=lambda each: seeded_fraction(0, "survey", each.relative))
    reading, begun = _Reading(), clock()
    dataset, chunked = dataset_name(source), chunking_of(source, form) is not None
    for each in files:
        if clock() - begun > MOST_SECONDS:
            reading.whole = False
            break
        place = Place(source, index, dataset, each.relative, None, chunked)
        _read(reading, each, read_file(place, each.info.path, form), source)
    return _dataset(reading, source, sum(each.info.size for each in files), pairs=brings_pairs(source))


def _read(reading: _Reading, file: SourceFile, rows: Iterator[Found], source: Source) -> None:
    documents = queries = 0
    for found in islice(rows, MOST_ROWS):
        queries += len(found.queries)
        for document in found.documents:
            chunks = list(_rows(document, source))
            documents += len(chunks)
            if len(reading.sample) < SAMPLE * _LOOKED_AT:
                reading.sample.extend(chunks[:_LOOKED_AT])
    rest = next(rows, None) is not None
    share = max(1.0, _rows_of(file) / MOST_ROWS) if rest else 1.0
    reading.documents += documents * share
    reading.queries += queries * share
    reading.size += file.info.size
    reading.whole = reading.whole and not rest


def _rows_of(file: SourceFile) -> float:
    """Returns about how many rows a table's file has: by its footer, or by the length of its first lines."""
    if file.relative.endswith(".parquet"):
        with open_parquet(file.info.path) as parquet:
            return float(parquet.metadata.num_rows)
    with open_plain(file.info.path) as plain:
        head = plain.read(_HEAD_BYTES)
    codec = plain_name(file.relative)[1]
    # How well the rest is packed is not known before it is unpacked; as well as its beginning, then.
    packed = 1.0 if codec is None or not head else len(pa.compress(head, codec=codec, asbytes=True)) / len(head)
    return file.info.size / packed * head.count(b"\n") / max(1, len(head))


def _dataset(reading: _Reading, source: Source, size: int, *, pairs: bool) -> Dataset:
    documents, queries = Range.exactly(reading.documents), Range.exactly(reading.queries)
    if not reading.whole:
        share = size / max(1, reading.size)
        documents, queries = documents * _PARTIAL * share, queries * _PARTIAL * share
    if source.limit is not None and reading.documents > source.limit:
        share = source.limit / reading.documents
        documents, queries = documents * share, (queries * share * _STAY_WITH_A_DOCUMENT).at_most(queries)
    sample = tuple(reading.sample[:: max(1, len(reading.sample) // SAMPLE)])
    return Dataset(documents * _LOSSES, queries * _LOSSES, pairs, sample)


def _rows(found: FoundDocument, source: Source) -> Iterator[Document]:
    dataset = dataset_name(source)
    if found.markup is None:
        pieces = [(found.title, found.text)]
    else:
        budget = (source.chunking or Chunking()).tokens
        pieces = [(each.title, each.text) for each in chunk_document(found.title, found.text, found.markup, budget)]
    for title, text in pieces:
        yield hashed(Document(found.doc_id, dataset, text, "", "", title, source.holds))
