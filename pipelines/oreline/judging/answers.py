"""What a model answers when it grades documents or rates a query."""

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

GradeValue = Annotated[int, Field(ge=0, le=3)]


def _ask_for_a_reason(schema: JsonDict) -> None:
    # A model that must give its reason first grades better; an answer without one counts all the same.
    properties = cast("dict[str, JsonDict]", schema["properties"])
    properties["reason"].pop("default", None)
    schema["required"] = list(properties)


LISTWISE_INPUTS = ("instruction", "query", "document", "count")
"""What a listwise prompt may declare as its inputs."""

RATER_INPUTS = ("instruction", "query")
"""What a rater's prompt may declare as its inputs."""


class DocumentGrade(BaseModel):
    """The grade of one of the documents shown."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra=_ask_for_a_reason)

    document: Annotated[int, Field(ge=1)]
    """Number of the document, as shown."""
    reason: str = ""
    """A few words that support the grade."""
    grade: GradeValue
    """3 answers fully, 2 answers mostly, 1 partly relevant, 0 irrelevant."""


class ListwiseAnswer(BaseModel):
    """The grades of all documents shown, each once."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    grades: Annotated[list[DocumentGrade], Field(min_length=1)]
    """One entry per document."""


class RaterAnswer(BaseModel):
    """The rater's verdict on a query."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra=_ask_for_a_reason)

    reason: str = ""
    """A few words that support the grade."""
    grade: GradeValue
    """3 surely typed by somebody, 2 plausible, 1 hardly, 0 nobody would type this."""
