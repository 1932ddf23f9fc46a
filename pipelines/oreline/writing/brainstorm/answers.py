"""What a model answers when it makes up tasks, and rows for them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from oreline.writing.answers import Text


class TasksAnswer(BaseModel):
    """Tasks of one kind."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    tasks: Annotated[list[Text], Field(min_length=1)]
    """Each in one sentence: what is given, and what is to be found."""


class TripleAnswer(BaseModel):
    """One training row."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    query: Text
    """What is given."""
    positive: Text
    """What belongs to it."""
    hard_negative: Text
    """What looks as if it belonged to it, and does not."""
