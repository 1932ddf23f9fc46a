"""The writer that follows examples of the user's own task."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Settings

FEWEST_EXAMPLES = 2
MOST_EXAMPLES = 8

_Text = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Example(Settings):
    """A query of one's own task, with a document that serves it."""

    query: _Text
    """What somebody typed."""
    document: _Text
    """The document that serves it; it is shown up to 1,000 tokens."""
    title: str | None = None
    """The document's title."""


class FewShot(Settings):
    """retrieval/few_shot: queries in the manner of a few examples (Promptagator, arXiv 2209.11755)."""

    task: _Text
    """The task in a sentence or a few: who searches for what, and what makes a document the right one."""
    examples: str | list[Example]
    """From 2 to 8 examples, each {query: ..., document: ...}; or a .jsonl file of them."""
    instruction: str | None = None
    """Instruction of the queries; default: the task."""
    task_type: Literal["retrieval", "question_answering", "fact_checking", "sentence_similarity", "code_retrieval"] = (
        "retrieval"
    )
    """Kind of the queries, which decides the encoder's prefix."""
