"""What a model answers when it asks what needs two documents, and when it checks whether that is so."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from oreline.writing.answers import Text

HopKind = Literal["bridge", "comparison", "combination", "sequence"]
"""How two documents work together in an answer."""
Given = Literal["all", "part", "nothing"]
"""What a document alone gives of an answer."""


class Connection(BaseModel):
    """A question with what it needs from each document; the facts come first: the question follows from them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: HopKind
    """How the documents work together."""
    fact_1: Text
    """What document 1 alone says."""
    fact_2: Text
    """What document 2 alone says."""
    query: Text
    """The question."""
    answer: Text
    """Its short answer."""
    needs: list[int]
    """Numbers of the documents without which it cannot be answered."""


class MultiHopAnswer(BaseModel):
    """The questions that need both documents."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    connections: list[Connection]
    """At most as many as were asked for; empty if the documents allow none."""


class MultiHopVerdict(BaseModel):
    """What each document alone gives towards the answer of a question."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    query: Annotated[int, Field(ge=1)]
    """Number of the question."""
    reason: Text
    """Why, in a few words."""
    document_1: Given
    """What document 1 alone gives."""
    document_2: Given
    """What document 2 alone gives."""
    together: bool
    """Whether both together answer it."""


class MultiHopVerdicts(BaseModel):
    """A verdict on every question."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    verdicts: list[MultiHopVerdict]
    """One per question."""
