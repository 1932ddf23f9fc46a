"""Queries, documents and pairs for the tests of filter."""

from collections.abc import Mapping, Sequence

from dedup_world import document
from oreline.normalise import query_hash
from oreline.recipe.settings import Recipe
from oreline.records import Document, Label, Lineage, Pair, Query, QueryOrigin, TaskType
from oreline.tables.manifest import Manifest

from house import finish, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
DOCUMENTS = [
    document("one", "Sharks never stop swimming because water has to flow over their gills all the time.", "Sharks"),
    document("two", "Die Alpensegler verbringen bis zu zweihundert Tage ohne Unterbrechung in der Luft.", "Segler"),
]


def query(
    own_id: str,
    text: str,
    origin: QueryOrigin = "synthetic",
    *,
    shown: Sequence[str] = ("one",),
    dataset: str = "d",
    split: str = "train",
    instruction: str | None = None,
    lang: str | None = None,
    task_type: TaskType = "retrieval",
) -> Query:
    return Query(
        query_id=f"{dataset}/{own_id}",
        dataset=dataset,
        query=text,
        query_hash=query_hash(text),
        task_type=task_type,
        instruction=instruction,
        lang=lang,
        split=split,
        origin=origin,
        lineage=None if origin == "human" else Lineage("w", [f"d/{each}" for each in shown]),
    )


def pair(query_id: str, doc_id: str, label: Label = "positive") -> Pair:
    return Pair(f"d/{query_id}", f"d/{doc_id}", label, "seed")


def run_filter(
    recipe: Recipe,
    queries: Sequence[Query],
    pairs: Sequence[Pair] = (),
    *options: str,
    documents: Sequence[Document] = tuple(DOCUMENTS),
) -> Manifest:
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    return run_stage(recipe, "filter", INPUTS, options)


def digests(manifest: Manifest) -> Mapping[str, str]:
    return {table: manifest.digest(table) for table in ("queries", "pairs", "fates", "rejects")}
