"""The writer that summarises a document before it asks for it."""

from typing import Annotated

from pydantic import Field

from oreline.recipe.settings.base import Settings


class Summarize(Settings):
    """retrieval/summarize: one call summarises a document, another asks for it (SWIM-IR, arXiv 2311.05800)."""

    languages: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default={"own": 1.0})
    """Languages of the queries with their weights, such as {own: 1, de: 2, sw: 1}; one is drawn for each query by a
    hash of the document's id. `own` is the document's."""
