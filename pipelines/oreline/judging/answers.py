"""What a model answers when it grades documents or rates a query."""

from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.config import JsonDict

GradeValue = Annotated[int, Field(ge=0, le=3)]


def _ask_for_a_reason(schema: JsonDict) -> None:
    # A model that must give its reason first grades better; an answer without one counts all the same.
    properties = cast("dict[str, JsonDict]", schema["properties"])
    properties["reason"].pop("default", None)
    schema["required"] = list(properties)


LISTWISE_INPUTS = ("instruction", "query", "document", "count")
"""What a listwise prompt may declare as its inputs."""

GRADED_INPUTS = ("instruction", "query", "document")
"""What a prompt about one query and one document may declare as its inputs."""

QUERY_INPUTS = ("instruction", "document")
"""What a prompt may declare whose answer would be the query."""

RATER_INPUTS = ("instruction", "query")
"""What a rater's prompt may declare as its inputs."""

SAFETY_INPUTS = ("query",)
"""What a safety prompt may declare as its inputs."""

Harm = Literal["none", "sexual", "minors", "violence", "self_harm", "hate", "crime", "private_person"]
"""What a query may be flagged for."""


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


class GradedAnswer(BaseModel):
    """The grade of the one document shown."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra=_ask_for_a_reason)

    reason: str = ""
    """A few words that support the grade."""
    grade: GradeValue
    """3 answers fully, 2 answers mostly, 1 partly relevant, 0 irrelevant."""


class LikelihoodAnswer(BaseModel):
    """How likely the query was written for the document shown."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra=_ask_for_a_reason)

    reason: str = ""
    """A few words that support the number."""
    grade: Annotated[int, Field(ge=0, le=10)]
    """10 for no other text, 6 more likely than not, 0 out of the question."""


class QueryText(RootModel[str]):
    """A query as text: never generated, what is asked for is how likely the model finds it."""


class RaterAnswer(BaseModel):
    """The rater's verdict on a query."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra=_ask_for_a_reason)

    reason: str = ""
    """A few words that support the grade."""
    grade: GradeValue
    """3 surely typed by somebody, 2 plausible, 1 hardly, 0 nobody would type this."""


class SafetyAnswer(BaseModel):
    """What harm there is in a query."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra=_ask_for_a_reason)

    reason: str = ""
    """A few words that support the finding."""
    harm: Harm
    """The worst that applies; none if nothing does."""
