"""What a model answers when it writes queries."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
WrittenTask = Literal["retrieval", "question_answering", "fact_checking", "sentence_similarity", "code_retrieval"]
"""The task types that a writer may choose from; free-form tasks count as `retrieval`."""

FRET_INPUTS = ("title", "document", "count", "kinds")
"""What a prompt of a writer may declare as its inputs."""


class FretQuery(BaseModel):
    """One task with one query, as in FRet (Gecko, arXiv 2403.20327, §3.1): the task is stated before the query."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    task_type: WrittenTask
    """Kind of the task."""
    task: Text
    """The task in one sentence: given what, find what."""
    query: Text
    """What a person types."""


class FretAnswer(BaseModel):
    """The queries for one document."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    queries: Annotated[list[FretQuery], Field(min_length=1)]
    """As many as were asked for, each different."""
