"""A small finished output up to select, for tests of what comes after."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from oreline.ids import Tally
from oreline.job import Job, StageWriter
from oreline.normalise import content_hash, query_hash, text_hash
from oreline.recipe.settings import Recipe
from oreline.records import (
    Document,
    Lineage,
    Pair,
    Query,
    Rating,
    Shortage,
    Triple,
    TripleNegative,
    TriplePositive,
)
from oreline.tables.manifest import Books, Manifest, write_manifest
from oreline.tables.parts import Part

from house import finish

TEXTS = [f"text number {n} of the world" for n in range(50)]


def document(own_id: str, text: str, title: str | None = None) -> Document:
    """Returns a document of the dataset `world`."""
    hashes = content_hash(title, text, "text"), text_hash(text, "text")
    return Document(f"world/{own_id}", "world", text, *hashes, title=title)


def query(own_id: str, text: str, **columns: str) -> Query:
    """Returns a human query."""
    return Query(f"world/{own_id}", "world", text, query_hash(text), instruction=columns.get("instruction"))


def triple(
    own_id: str,
    positives: Sequence[str],
    negatives: Sequence[str],
    *,
    split: str = "train",
    dataset: str = "world",
    short: Shortage | None = None,
    lineage: Lineage | None = None,
) -> Triple:
    """Returns a triple of documents of `world`, given by their own ids."""
    return Triple(
        query_id=f"world/{own_id}",
        query_hash=_hash(own_id),
        dataset=dataset,
        split=split,
        positives=[TriplePositive(f"world/{each}", _hash(each), "human", 0.75) for each in positives],
        negatives=[
            TripleNegative(f"world/{each}", _hash(each), "dense", rank, 0.5 / rank)
            for rank, each in enumerate(negatives, start=1)
        ],
        short=short,
        lineage=lineage,
    )


def finish_world(
    recipe: Recipe,
    triples: Sequence[Triple],
    *,
    parts: int = 1,
    documents: Sequence[Document] = (),
    queries: Sequence[Query] = (),
) -> None:
    """Commits documents d0 to d49 and `titled`, queries q0 to q49, and these triples, in so many parts."""
    corpus = [document(f"d{n}", text) for n, text in enumerate(TEXTS)]
    corpus += [document("titled", "body", "A title"), *documents]
    asked = [query(f"q{n}", f"question {n}") for n in range(len(TEXTS))]
    given = {each.query_id for each in queries}
    pairs = [Pair(each.query_id, "world/d0", "positive", "human") for each in asked]
    finish(recipe, "synthesize", {"documents": corpus, "queries": asked, "pairs": pairs})
    kept = [*(each for each in asked if each.query_id not in given), *queries]
    finish(recipe, "filter", {"queries": kept, "pairs": pairs})
    _finish_triples(recipe, triples, parts)


def _finish_triples(recipe: Recipe, triples: Sequence[Triple], parts: int) -> None:
    """Commits select with its triples spread over parts, as several workers leave them."""
    written: list[Part] = []
    for number in range(parts):
        writer = StageWriter(Job(recipe.output, "select", recipe, {}))
        writer.rows("triples", triples[number::parts])
        written += writer.close().parts
    books = Books(*[Tally.of(each.query_id for each in triples)] * 2)
    manifest = Manifest("select", 1, "test", {}, {"triples": tuple(written)}, books, {}, {}, "2026-01-01T00:00:00Z")
    write_manifest(recipe.output, manifest)


def read_train(folder: Path) -> list[tuple[str, ...]]:
    """Returns all rows of a folder's Parquet files."""
    rows: list[tuple[str, ...]] = []
    for path in sorted(folder.rglob("*.parquet")):
        rows += [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
    return rows


def nasty_world(recipe: Recipe) -> Triple:
    """Commits a triple whose texts hold escapes, emoji, right-to-left script, markup and line separators."""
    bad = "\x1b[31mred\x1b[0m \u202egnp.exe [bold]x[/bold] :smile: \U0001f600\u2028next\x07"
    arabic = "\u0627\u0644\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645"
    lineage = Lineage("retrieval/fret", ["world/bad"], "retrieval/fret", 1, "gemini-3.5-flash-lite", "ab" * 32, 0, 1)
    asked = Query(
        "world/bad",
        "world",
        f"what is {bad}?",
        query_hash(bad),
        instruction="find \x1b]0;title\x07 passages",
        origin="synthetic",
        lineage=lineage,
        rating=Rating(3, "plausible"),
    )
    made = triple("bad", ["bad"], ["rtl", "d1"], lineage=lineage)
    documents = [document("bad", bad * 40, f"T {bad}"), document("rtl", arabic * 30, arabic)]
    finish_world(recipe, [made], documents=documents, queries=[asked])
    return made


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
