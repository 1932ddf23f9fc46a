"""Candidates that another retriever found, in a file."""

from typing import Literal

from pydantic import Field

from oreline.recipe.settings.base import Settings

RunFormat = Literal["auto", "trec", "tevatron", "msmarco", "bge"]


class Run(Settings):
    """A file of candidates that another retriever found."""

    path: str = Field(min_length=1)
    """The file, or a pattern such as runs/*.jsonl; may be compressed (.gz)."""
    format: RunFormat = "auto"
    """trec: `qid Q0 docid rank score tag`. tevatron: `qid docid score`, or JSON with query_id and
    negative_document_ids. msmarco: `qid docid rank`. bge: JSON with query, pos and neg as texts. auto: by the first
    line."""
    dataset: str | None = None
    """Dataset of ids that are written without one; default: any that has the id, if only one does."""
