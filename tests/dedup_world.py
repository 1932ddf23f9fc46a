"""Documents for the tests of dedup: made from texts, or read from a BEIR corpus without the stages that normally do."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from oreline.normalise import content_hash, text_hash
from oreline.recipe.settings import Recipe
from oreline.records import Content, Document, Label, Pair
from oreline.tables.manifest import Manifest

from house import finish, run_stage

INPUTS = {"documents": "ingest", "pairs": "ingest"}
SENTENCE = "the quick brown fox jumps over the lazy dog while seven more dogs are sleeping in the warm autumn sun today"


def document(
    own_id: str,
    text: str,
    title: str | None = None,
    *,
    dataset: str = "d",
    content: Content = "text",
    searchable: bool = True,
) -> Document:
    return Document(
        doc_id=f"{dataset}/{own_id}",
        dataset=dataset,
        text=text,
        content_hash=content_hash(title, text, content),
        text_hash=text_hash(text, content),
        title=title,
        content=content,
        searchable=searchable,
    )


def pair(query: str, doc_id: str, label: Label = "positive", grade: float | None = None) -> Pair:
    return Pair(f"d/{query}", f"d/{doc_id}", label, "human", grade)


def dedup(recipe: Recipe, documents: Sequence[Document], pairs: Sequence[Pair] = (), *options: str) -> Manifest:
    finish(recipe, "ingest", {"documents": documents, "pairs": pairs})
    return run_stage(recipe, "dedup", INPUTS, options)


def corpus(folder: Path, content: Content = "text") -> list[Document]:
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        document(row["_id"], row["text"], row["title"] or None, dataset=folder.name, content=content) for row in rows
    ]


def judgements(folder: Path) -> list[Pair]:
    lines = (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [Pair(f"{folder.name}/{query}", f"{folder.name}/{doc}", "positive", "human", 1.0) for query, doc, _ in rows]


def digests(manifest: Manifest) -> Mapping[str, str]:
    return {table: manifest.digest(table) for table in ("documents", "pairs", "fates", "rejects")}
