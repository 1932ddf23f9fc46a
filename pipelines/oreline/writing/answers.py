"""What a model answers when it writes queries."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
WrittenTask = Literal[
    "retrieval", "question_answering", "fact_checking", "sentence_similarity", "code_retrieval", "free_form"
]
"""The kinds of tasks that a writer may choose from; `free_form` is one of the model's own invention."""

FRET_INPUTS = ("title", "document", "count", "kinds")
"""What a prompt that is answered as FRet's is may declare as its inputs."""


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


class SummaryAnswer(BaseModel):
    """What of a passage somebody could ask for (SWIM-IR, arXiv 2311.05800, §3)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    summary: Text
    """One to three sentences, in the passage's language."""


class QuestionsAnswer(BaseModel):
    """Questions that a passage answers."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    questions: Annotated[list[Text], Field(min_length=1)]
    """As many as were asked for, each different."""


class FewShotAnswer(BaseModel):
    """A query in the manner of the examples."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    query: Text
    """What a person enters."""
