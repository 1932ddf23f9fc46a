"""The jsonl format: a JSON object per triple, whole: ids, texts, scores and lineage. For people and other trainers.

Files are `<dataset>/<split>/part-<uuid>.jsonl`, UTF-8, one object a line. Titles and texts stand apart and unrendered;
with `export.prefixes` each also has `rendered`, the exact string that the encoder reads. `export.class_rows` adds an id
to the texts of a class row, or a key `mask` to every row.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

import pyarrow as pa

from oreline.exporters.classes import ClassRows, mask_of, suffix_of
from oreline.exporters.examples import Example
from oreline.exporters.layout import TrainFile, folder_name, new_path
from oreline.exporters.texts import Texts
from oreline.ids import Json, Tally
from oreline.records import Document, TripleNegative, TriplePositive
from oreline.tables.digest import MODULUS, table_digest
from oreline.tables.parts import ROLL_BYTES, Part

NAME = "jsonl"
FLUSH_CHARACTERS = 16 * 2**20

# Signs at which some readers end a line although JSON allows them in a string.
_LINE_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}


def object_of(example: Example, rendered: Texts | None, class_rows: ClassRows = "plain") -> dict[str, Json]:
    """Returns an example as a JSON object; keys without a value (null) are left out inside documents.

    `rendered` adds the exact strings of an encoder.
    """
    triple, query = example.triple, example.query
    suffix = suffix_of(example) if class_rows == "unique_suffix" else ""
    found: dict[str, Json] = {
        "query_id": triple.query_id,
        "dataset": triple.dataset,
        "split": triple.split,
        "query": f"{query.query}{suffix}",
        "instruction": query.instruction,
        "task_type": query.task_type,
        "lang": query.lang,
        "origin": query.origin,
        "group": triple.group,
        "positives": _documents(triple.positives, example.positives, rendered, suffix),
        "negatives": _documents(triple.negatives, example.negatives, rendered, suffix),
        "short": triple.short,
        "weight": triple.weight,
        "lineage": cast("Json", asdict(triple.lineage)) if triple.lineage else None,
        "rating": cast("Json", asdict(query.rating)) if query.rating else None,
    }
    if rendered is not None:
        found["rendered"] = f"{rendered.query(query)}{suffix}"
    if class_rows == "mask":
        found["mask"] = mask_of(example)
    return found


def line_of(found: dict[str, Json]) -> str:
    """Returns one line of JSON without its end; no reader can take it for two lines."""
    return json.dumps(found, ensure_ascii=False).translate(_LINE_ENDS)


def _documents(
    entries: Sequence[TriplePositive | TripleNegative],
    documents: Sequence[Document],
    rendered: Texts | None,
    suffix: str,
) -> list[Json]:
    objects: list[Json] = []
    for entry, document in zip(entries, documents, strict=True):
        found = {name: value for name, value in asdict(entry).items() if value is not None}
        found |= {"title": document.title, "text": f"{document.text}{suffix}"}
        if rendered is not None:
            found["rendered"] = f"{rendered.document(document)}{suffix}"
        objects.append(found)
    return objects


@dataclass
class Jsonl:
    """Writes examples as JSON lines."""

    output: str
    rendered: Texts | None = None
    class_rows: ClassRows = "plain"
    _groups: dict[tuple[str, str], "_OpenFile"] = field(default_factory=dict)
    _done: list[Part] = field(default_factory=list)

    def add(self, example: Example) -> None:
        """Takes an example; the format holds every one."""
        key = (example.triple.dataset, example.triple.split)
        if key not in self._groups:
            folder = "/".join(folder_name(name) for name in key)
            self._groups[key] = _OpenFile(TrainFile(self.output, new_path(NAME, folder, "jsonl")), [*key])
        group = self._groups[key]
        group.add(example.triple.query_id, line_of(object_of(example, self.rendered, self.class_rows)))
        if group.file.size >= ROLL_BYTES:
            self._done.append(self._groups.pop(key).close())

    def close(self) -> Iterator[Part]:
        """Finishes all files and yields their manifest entries."""
        yield from self._done
        for _, group in sorted(self._groups.items()):
            yield group.close()
        self._groups, self._done = {}, []


class _OpenFile:
    """One file being written."""

    def __init__(self, file: TrainFile, place: list[str]) -> None:
        self.file = file
        self._place = "/".join(place)
        self._lines: list[str] = []
        self._characters = 0
        self._rows = 0
        self._digest = 0
        self._ids = Tally()

    def add(self, query_id: str, line: str) -> None:
        """Appends a line."""
        self._lines.append(line)
        self._rows += 1
        self._ids += Tally.of([query_id])
        self._characters += len(line)
        if self._characters >= FLUSH_CHARACTERS:
            self._flush()

    def close(self) -> Part:
        """Finishes the file and returns its entry."""
        self._flush()
        self.file.close()
        return self.file.part(NAME, self._rows, self._digest, self._ids)

    def _flush(self) -> None:
        if not self._lines:
            return
        table = pa.table({"line": self._lines, "place": [self._place] * len(self._lines)})
        self._digest = (self._digest + table_digest(table)) % MODULUS
        self.file.write("".join(f"{line}\n" for line in self._lines).encode())
        self._lines, self._characters = [], 0
