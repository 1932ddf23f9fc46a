"""Companions: which document is shown beside another, found over the whole corpus by hash ranges, parked by block.

Four regroupings of rows on disk (see `shuffle`), so that no more than a range of words, or a block of documents, is in
memory: words and parents to their documents; ties to the blocks of the documents that ask; choices to the blocks of
the chosen documents, whose texts go back to the blocks of those that asked.
"""

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.ids import bucket_of
from oreline.job import Job
from oreline.llm.rows import block_key
from oreline.recipe.settings import MultiHop
from oreline.records import Document
from oreline.shuffle import Reference, Scatter, gather
from oreline.stages.wiring import decode_row_group
from oreline.tables.schema import from_arrow
from oreline.writing.plan import Plan
from oreline.writing.ties import Member, Near, nearest, siblings, telling_words

RANGE_ROWS = 250_000
"""Rows of words in a hash range, about."""
_SLICE = 2_048
_COLUMNS = ("doc_id", "dataset", "title", "text", "lang", "parent_id", "position", "origin", "searchable")
_WITHIN = "within"
_ACROSS = "across"


@dataclass(frozen=True)
class Companion:
    """A document to be shown beside another: `within` its parent, or `across`, with the words that they share."""

    document: Document
    how: str
    shared: tuple[str, ...]


def members(job: Job, settings: MultiHop, plan: Plan, block: bytes) -> Iterator[Reference]:
    """Yields the rows of a block's documents under their words and their parents, by hash range."""
    ranges = max(4, sum(part.rows for part in job.parts("documents")) * settings.words // RANGE_ROWS)
    key, scatter = block_key(block), Scatter(job, "members")
    documents = job.read(decode_row_group(block), _COLUMNS)
    for start in range(0, documents.num_rows, _SLICE):
        rows: list[dict[str, object]] = []
        for row in documents.slice(start, _SLICE).to_pylist():
            if row["origin"] == "source" and row["searchable"] and row["dataset"] in plan.datasets:
                rows.extend(_member_rows(row, key, settings, plan))
        keys = [bucket_of(str(row["under"]), ranges) for row in rows]
        yield from scatter.write(keys, pa.Table.from_pylist(rows, _MEMBERS))
    yield from scatter.close()


def _member_rows(row: Mapping[str, str], block: int, settings: MultiHop, plan: Plan) -> Iterator[dict[str, object]]:
    """Yields a document under each of its telling words, and under its parent."""
    words = telling_words(row["title"], row["text"], settings.words) if settings.across else []
    under = [(_ACROSS, word) for word in words]
    if settings.within and row["parent_id"] is not None:
        under.append((_WITHIN, row["parent_id"]))
    asks = plan.chooses(row["dataset"], row["origin"], row["doc_id"], row["lang"])
    for how, name in under:
        yield {
            "under": json.dumps([row["dataset"], how, name]),
            "doc_id": row["doc_id"],
            "parent_id": row["parent_id"],
            "place": row["position"],
            "words": len(words),
            "asks": asks,
            "block": block,
        }


def ties(job: Job, settings: MultiHop, references: Iterable[bytes]) -> Iterator[Reference]:
    """Yields the ties of a hash range by the block of the document that asks."""
    scatter = Scatter(job, "ties")
    grouped: dict[str, list[Member]] = defaultdict(list)
    for row in gather(references)["members"].to_pylist():
        grouped[row.pop("under")].append(Member(**row))
    rows: list[dict[str, object]] = []
    for under, found in grouped.items():
        _, how, name = json.loads(under)
        if how == _WITHIN:
            rows.extend(_tie(*each, _WITHIN, "", 1) for each in siblings(found, settings.window))
        elif 2 <= len(found) <= settings.most_documents:
            rows.extend(_near_rows(found, name))
    yield from scatter.write([cast("int", row["asking"]) for row in rows], pa.Table.from_pylist(rows, _TIES))
    yield from scatter.close()


def choices(job: Job, settings: MultiHop, references: Iterable[bytes]) -> Iterator[Reference]:
    """Yields, by the blocks of the chosen documents, which are chosen for the documents of one block."""
    scatter = Scatter(job, "choices")
    by_asker: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in gather(references)["ties"].to_pylist():
        by_asker[row["asker"]].append(row)
    rows: list[dict[str, object]] = []
    for asker, found in by_asker.items():
        rows.extend({**row, "word": json.dumps([])} for row in found if row["how"] == _WITHIN)
        near = _nearest(asker, [row for row in found if row["how"] == _ACROSS], settings)
        if near is not None:
            shared = sorted(near.shared, key=lambda word: (near.shared[word], word))
            first = next(row for row in found if row["doc_id"] == near.doc_id and row["how"] == _ACROSS)
            rows.append({**first, "word": json.dumps(shared, ensure_ascii=False)})
    yield from scatter.write([cast("int", row["block"]) for row in rows], pa.Table.from_pylist(rows, _TIES))
    yield from scatter.close()


def texts(job: Job, block: bytes, references: Sequence[bytes]) -> Iterator[Reference]:
    """Yields the chosen documents of a block by the blocks of those that asked for them."""
    if not references:
        return
    scatter = Scatter(job, "companions")
    chosen = gather(references)["choices"]
    documents = job.read(decode_row_group(block))
    documents = documents.filter(pc.is_in(documents.column("doc_id"), chosen.column("doc_id").unique()))
    places = {doc_id: place for place, doc_id in enumerate(documents.column("doc_id").to_pylist())}
    chosen = chosen.filter(pc.is_in(chosen.column("doc_id"), documents.column("doc_id").unique()))
    taken = documents.take(pa.array([places[each] for each in chosen.column("doc_id").to_pylist()], pa.int64()))
    for name in ("asker", "how", "word"):
        taken = taken.append_column(f"_{name}", chosen.column(name))
    yield from scatter.write(chosen.column("asking").to_pylist(), taken)
    yield from scatter.close()


def park_companions(job: Job, key: int, references: Iterable[bytes]) -> None:
    """Keeps the companions of a block's documents until the stage is done; again replaces them."""
    buffer = io.BytesIO()
    pq.write_table(gather(references)["companions"], buffer)
    files.write_atomically(_path(job, key), buffer.getvalue())


def parked_companions(job: Job, block: bytes) -> pa.Table | None:
    """Returns what `park_companions` kept of a block, None for one whose documents have none."""
    path = _path(job, block_key(block))
    return pq.read_table(io.BytesIO(files.read_bytes(path))) if files.exists(path) else None


def companions(kept: pa.Table | None, doc_ids: Sequence[str]) -> Mapping[str, list[Companion]]:
    """Returns the companions of some documents, at most one of each kind, by document; `kept` is of their block."""
    if kept is None:
        return {}
    table = kept.filter(pc.is_in(kept.column("_asker"), pa.array(doc_ids, pa.string())))
    extra = [table.column(f"_{name}").to_pylist() for name in ("asker", "how", "word")]
    documents = from_arrow(Document, table.drop_columns(["_asker", "_how", "_word"]))
    found: dict[str, list[Companion]] = defaultdict(list)
    for document, asker, how, words in zip(documents, *extra, strict=True):
        found[asker].append(Companion(document, how, tuple(json.loads(words))))
    return {asker: sorted(each, key=lambda one: one.how) for asker, each in found.items()}


def _path(job: Job, key: int) -> str:
    return files.join(job.output, job.stage, "_scratch", f"companions-{key:016x}.parquet")


def _near_rows(found: list[Member], word: str) -> Iterator[dict[str, object]]:
    for asker in found:
        if not asker.asks:
            continue
        for other in found:
            alike = other.parent_id is not None and other.parent_id == asker.parent_id
            if other.doc_id != asker.doc_id and not alike:
                yield _tie(asker, other, _ACROSS, word, len(found))


def _tie(asker: Member, other: Member, how: str, word: str, count: int) -> dict[str, object]:
    return {
        "asker": asker.doc_id,
        "asking": asker.block,
        "asker_words": asker.words,
        "doc_id": other.doc_id,
        "block": other.block,
        "words": other.words,
        "how": how,
        "word": word,
        "count": count,
    }


def _nearest(asker: str, found: list[dict[str, object]], settings: MultiHop) -> Near | None:
    shared: dict[str, dict[str, int]] = defaultdict(dict)
    first: dict[str, dict[str, object]] = {}
    for row in found:
        other = cast("str", row["doc_id"])
        first.setdefault(other, row)
        shared[other][cast("str", row["word"])] = cast("int", row["count"])
    if not first:
        return None
    near = (
        Near(other, cast("int", row["block"]), cast("int", row["words"]), shared[other]) for other, row in first.items()
    )
    words = cast("int", found[0]["asker_words"])
    return nearest(asker, words, near, least=settings.shared, most_documents=settings.most_documents)


_MEMBERS = pa.schema(
    [
        ("under", pa.string()),
        ("doc_id", pa.string()),
        ("parent_id", pa.string()),
        ("place", pa.int64()),
        ("words", pa.int64()),
        ("asks", pa.bool_()),
        ("block", pa.int64()),
    ]
)
_TIES = pa.schema(
    [
        ("asker", pa.string()),
        ("asking", pa.int64()),
        ("asker_words", pa.int64()),
        ("doc_id", pa.string()),
        ("block", pa.int64()),
        ("words", pa.int64()),
        ("how", pa.string()),
        ("word", pa.string()),
        ("count", pa.int64()),
    ]
)
