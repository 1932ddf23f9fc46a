"""What tests of writers share: recipes against a local server, the stage's run, and answers made by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from oreline.llm.requests import Answer, Answered, Request
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Document
from oreline.tables.manifest import Manifest

from gemini_server import GeminiServer
from house import finish, recipe_for, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
LLM = Llm(model="gemini-3.5-flash-lite", base_url="http://127.0.0.1:1", server="local")


def writing_recipe(
    output: Path, server: GeminiServer, cache: object = None, llm: object = None, **more: object
) -> Recipe:
    """A recipe whose writers ask a local server; `llm` and `more` are keys of that section and of `synthesize`."""
    own = llm if isinstance(llm, Mapping) else {}
    model = {"model": "gemini-3.5-flash-lite", "base_url": server.url, "server": "local", **own}
    return recipe_for(output, llm=model, synthesize=more, **({} if cache is None else {"cache": str(cache)}))


def ingested(recipe: Recipe, documents: Sequence[Document]) -> None:
    """Writes documents as if ingest had run."""
    finish(recipe, "ingest", {"documents": documents, "queries": [], "pairs": []})


def synthesized(recipe: Recipe, documents: Sequence[Document], *options: str) -> Manifest:
    """Runs synthesize over documents."""
    ingested(recipe, documents)
    return run_stage(recipe, "synthesize", INPUTS, options)


def answered(request: Request, body: object, attempt: int = 0) -> Answered:
    """An answer to a request, as JSON."""
    return Answered(request, Answer(request.key, attempt, "ok", json.dumps(body)))


def refused(request: Request) -> Answered:
    """A refusal of a request."""
    return Answered(request, Answer(request.key, 0, "refused", ""), "refused", "the model refused to answer")


def digests(manifest: Manifest) -> list[str]:
    """The digests of all tables that synthesize writes."""
    return [manifest.digest(table) for table in ("documents", "queries", "pairs", "fates", "rejects")]
