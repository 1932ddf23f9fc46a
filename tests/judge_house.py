"""What the tests of judge share: a small world of documents, queries and candidates, and its stage's run."""

from collections.abc import Sequence
from pathlib import Path

from local_server import LocalServer
from oreline.recipe.settings import PercentCeiling, Recipe
from oreline.records import Candidate, Document, Judgement, Pair, PoolEntry, Query, Scored
from oreline.tables.manifest import Manifest
from synthesize_world import docstrings, positive, query

from house import finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest", "candidates": "mine"}
CEILING = PercentCeiling(percent_of_positive=0.95)
"""The default recipe's."""

World = tuple[list[Query], list[Pair], list[Candidate]]


def gemini(server: LocalServer, model: str = "gemini-3.5-flash-lite", **more: object) -> dict[str, object]:
    """Returns the section of a model behind a local Gemini server."""
    return {"model": model, "base_url": server.url, "server": "local", **more}


def openai(server: LocalServer, model: str = "m", **more: object) -> dict[str, object]:
    """Returns the section of a model behind a local OpenAI-compatible server."""
    return {
        "provider": "openai",
        "model": model,
        "base_url": server.url,
        "server": "local",
        "budget_tokens": 10**9,
        **more,
    }


def recipe_of(output: Path, llm: dict[str, object] | None, cache: Path | None = None, **judge: object) -> Recipe:
    """Returns a recipe whose judge looks at the first 6 of each pool."""
    more: dict[str, object] = {"cache": str(cache)} if cache else {}
    return recipe_for(output, judge={"top_k": 6, **judge}, **({"llm": llm} if llm else {}), **more)


def world(queries: int, documents: Sequence[Document], begin: int = 2) -> World:
    """Each query asks for a document by its title; the pool is what follows it in the list, from `begin` places on."""
    asked, pairs, candidates = [], [], []
    for place in range(queries):
        own = documents[place]
        query_id = f"python/q{place}"
        asked.append(query(query_id, f"what does {own.title} do", "Find documentation." if place % 2 else None))
        pairs.append(positive(query_id, own.doc_id))
        following = documents[place + begin : place + begin + 40]
        pool = [PoolEntry(each.doc_id, 0.7 - step / 100, []) for step, each in enumerate(following)]
        known = [Scored(documents[place + 1].doc_id, 3, 0.6)]
        candidates.append(Candidate(query_id, [Scored(own.doc_id, 1, 0.7)], known, pool))
    return asked, pairs, candidates


def judged(recipe: Recipe, documents: Sequence[Document], made: World, *options: str) -> Manifest:
    """Runs judge over a world and returns its manifest."""
    queries, pairs, candidates = made
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    finish(recipe, "mine", {"candidates": candidates})
    return run_stage(recipe, "judge", INPUTS, options)


def judgements_in(output: Path) -> dict[tuple[str, str, str], Judgement]:
    """Returns the rows of judge by query, document and scorer."""
    rows = rows_of(output, "judge", "judgements", Judgement)
    found = {(each.query_id, each.doc_id, each.scorer): each for each in rows}
    assert len(found) == len(rows)
    return found


__all__ = [
    "CEILING",
    "INPUTS",
    "World",
    "docstrings",
    "gemini",
    "judged",
    "judgements_in",
    "openai",
    "positive",
    "query",
    "recipe_of",
    "world",
]
