"""The sentence-transformers format: Parquet files whose columns are the texts in order and nothing else.

For that trainer the *order* of columns is the contract (anchor, positive, negative_1..n), every further column becomes
an input, and a file has one width. So rows are grouped: `<dataset>/negatives-<n>/<split>/part-<uuid>.parquet`. The
split's folder keeps evaluation queries out of training; `datasets.load_dataset` takes a split's name from it.

With `export.class_rows: mask` a last column of whole numbers follows, `label`, which the trainer hands to the loss.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from oreline.exporters.classes import MASK, mask_of, suffix_of
from oreline.exporters.examples import Example
from oreline.exporters.layout import TrainFile, folder_name, new_path
from oreline.exporters.texts import Texts
from oreline.ids import Tally
from oreline.recipe.settings import Export
from oreline.tables.digest import MODULUS, table_digest
from oreline.tables.parts import ROLL_BYTES, Part

NAME = "sentence-transformers"
FLUSH_BYTES = 64 * 2**20
FLUSH_ROWS = 32_768

Row = tuple[str, ...]


def column_names(negatives: int) -> list[str]:
    """Returns the columns of a file whose rows have so many negatives."""
    return ["anchor", "positive", *(f"negative_{place}" for place in range(1, negatives + 1))]


def suffixed(example: Example, rows: list[Row]) -> list[Row]:
    """Returns the rows of a class with an id of their own after each text, other rows as they are."""
    suffixes = [suffix_of(example, place) for place in range(len(rows))]
    return [tuple(f"{text}{suffix}" for text in row) for row, suffix in zip(rows, suffixes, strict=True)]


def rows_of(example: Example, texts: Texts, positives: str) -> list[Row]:
    """Returns an example's rows: one per positive for `expand`, else the first positive's.

    Every row holds all negatives.
    """
    anchor = texts.query(example.query)
    negatives = tuple(texts.document(each) for each in example.negatives)
    chosen = example.positives if positives == "expand" else example.positives[:1]
    # Positives with different own ids may render to one string; a repeated row would only weigh twice.
    rendered = dict.fromkeys(texts.document(each) for each in chosen)
    return [(anchor, positive, *negatives) for positive in rendered]


def unfit(example: Example, rows: list[Row], short_rows: str, width: int) -> str | None:
    """Returns a sentence on why the format cannot hold an example, or None if it can.

    `width` is the number of negatives that the recipe asks for.
    """
    found = len(example.negatives)
    if not rows:
        return f"{NAME}: the row has no positive"
    if short_rows == "drop" and found < width:
        return f"{NAME}: the row has {found} negatives, the others {width}, and export.short_rows is drop"
    positives = {row[1] for row in rows}
    for document, text in zip(example.negatives, rows[0][2:], strict=True):
        if text in positives or text == rows[0][0]:
            other = "a positive" if text in positives else "the query"
            return f"{NAME}: negative {document.doc_id} has the same rendered text as {other}"
    return None


@dataclass
class SentenceTransformers:
    """Writes examples as sentence-transformers files; holds at most some `FLUSH_BYTES` of texts."""

    output: str
    settings: Export
    width: int
    texts: Texts
    _groups: dict[tuple[str, str, int], "_Group"] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, example: Example) -> str | None:
        """Takes an example; returns why the format cannot hold it, or None if it does."""
        rows = rows_of(example, self.texts, self.settings.positives)
        problem = unfit(example, rows, self.settings.short_rows, self.width)
        if problem is not None:
            return problem
        if self.settings.class_rows == "unique_suffix":
            rows = suffixed(example, rows)
        mask = mask_of(example) if self.settings.class_rows == "mask" else None
        triple = example.triple
        key = (triple.dataset, triple.split, len(example.negatives))
        if key not in self._groups:
            self._groups[key] = _Group(self.output, *key)
        self._bytes += self._groups[key].add(triple.query_id, rows, mask)
        if self._bytes >= FLUSH_BYTES:
            for group in self._groups.values():
                group.flush()
            self._bytes = 0
        return None

    def close(self) -> Iterator[Part]:
        """Finishes all files and yields their manifest entries."""
        for _, group in sorted(self._groups.items()):
            yield from group.close()
        self._groups = {}


@dataclass
class _Group:
    """The files of one dataset, split and width."""

    output: str
    dataset: str
    split: str
    negatives: int
    _rows: list[Row] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _masks: list[int] = field(default_factory=list)
    _open: "_OpenFile | None" = None
    _done: list[Part] = field(default_factory=list)

    def add(self, query_id: str, rows: list[Row], mask: int | None) -> int:
        """Takes the rows of one query, with a mask for all queries or for none; returns their size in characters."""
        self._rows.extend(rows)
        self._ids.extend([query_id] * len(rows))
        if mask is not None:
            self._masks.extend([mask] * len(rows))
        if len(self._rows) >= FLUSH_ROWS:
            self.flush()
        return sum(len(text) for row in rows for text in row)

    def flush(self) -> None:
        """Writes the waiting rows as one row group."""
        if not self._rows:
            return
        names = column_names(self.negatives)
        fields = [pa.field(name, pa.string(), nullable=False) for name in names]
        columns = [pa.array(column, pa.string()) for column in zip(*self._rows, strict=True)]
        if self._masks:
            fields.append(pa.field(MASK, pa.int64(), nullable=False))
            columns.append(pa.array(self._masks, pa.int64()))
        schema = pa.schema(fields)
        block = pa.table(columns, schema=schema)
        if self._open is None:
            folder = f"{folder_name(self.dataset)}/negatives-{self.negatives}/{folder_name(self.split)}"
            self._open = _OpenFile(TrainFile(self.output, new_path(NAME, folder, "parquet")), schema)
        self._open.write(block, self._ids, [self.dataset, self.split])
        self._rows, self._ids, self._masks = [], [], []
        if self._open.file.size >= ROLL_BYTES:
            self._roll()

    def close(self) -> list[Part]:
        """Finishes the open file and returns the entries of all."""
        self.flush()
        self._roll()
        return self._done

    def _roll(self) -> None:
        if self._open is not None:
            self._done.append(self._open.close())
            self._open = None


class _OpenFile:
    """One Parquet file being written."""

    def __init__(self, file: TrainFile, schema: pa.Schema) -> None:
        self.file = file
        self._parquet = pq.ParquetWriter(file, schema, compression="zstd")
        self._rows = 0
        self._digest = 0
        self._ids = Tally()

    def write(self, block: pa.Table, ids: list[str], place: list[str]) -> None:
        """Appends rows; `place` (dataset and split) enters the digest, as equal rows elsewhere are other content.

        All rows of a query come at once; it is tallied once, as a triple.
        """
        self._parquet.write_table(block, row_group_size=2 * FLUSH_ROWS)
        identified = block.append_column("query_id", pa.array(ids, pa.string()))
        for name, value in zip(("dataset", "split"), place, strict=True):
            identified = identified.append_column(name, pa.repeat(pa.scalar(value, pa.string()), block.num_rows))
        self._rows += block.num_rows
        self._digest = (self._digest + table_digest(identified)) % MODULUS
        self._ids += Tally.of(dict.fromkeys(ids))

    def close(self) -> Part:
        """Finishes the file and returns its entry."""
        self._parquet.close()
        self.file.close()
        return self.file.part(NAME, self._rows, self._digest, self._ids)
