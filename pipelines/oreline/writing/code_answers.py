"""What a model answers when it describes code, or asks what a document about code answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from oreline.writing.answers import Text

DescriptionStyle = Literal["search", "summary", "task", "specification", "problem"]
"""How somebody says what the code should do."""
CodeQuestionKind = Literal["how_to", "behaviour", "error", "choice", "snippet"]
"""What somebody wants to know of code."""


class CodeDescription(BaseModel):
    """What somebody says who looks for the code."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    style: DescriptionStyle
    """How it is said."""
    query: Text
    """The description."""


class CodeDescriptions(BaseModel):
    """The descriptions of one piece of code."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    descriptions: Annotated[list[CodeDescription], Field(min_length=1)]
    """As many as were asked for, each different."""


class CodeQuestion(BaseModel):
    """What a programmer asks."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: CodeQuestionKind
    """What is asked for."""
    query: Text
    """The question, its code on lines of its own."""


class CodeQuestions(BaseModel):
    """The questions that one document answers."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code_questions: Annotated[list[CodeQuestion], Field(min_length=1)]
    """As many as were asked for, each different."""
