"""What a model answers when it chooses who asks and how, and when it writes the query of that person."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from oreline.languages import is_code
from oreline.writing.answers import Text

QuestionType = Literal["keyword", "factual", "summary", "judgement", "background"]
"""What kind of query it is (Qwen3-Embedding, arXiv 2506.05176, appendix)."""
Difficulty = Literal["high_school", "university", "phd"]
"""How much the wording takes for granted."""


def _language(code: str) -> str:
    if not is_code(code):
        raise ValueError(f"{code[:20]!r} is no language code such as en or pt-BR")
    return code


class PersonaConfiguration(BaseModel):
    """Who asks, and how."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    persona: Annotated[int, Field(ge=1)]
    """Number of the persona."""
    need: Text
    """What the person is trying to settle, and what in the document settles it."""
    question_type: QuestionType
    """Kind of the query."""
    difficulty: Difficulty
    """How much the wording takes for granted."""
    length: Annotated[int, Field(ge=1)]
    """Words of the query."""
    language: Annotated[str, AfterValidator(_language)]
    """Language code of the query."""


class PersonaConfigurations(BaseModel):
    """The configurations of the queries for one document."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    configurations: Annotated[list[PersonaConfiguration], Field(min_length=1)]
    """As many as were asked for, each different."""


class PersonaQuery(BaseModel):
    """The query that one configuration gives."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    query: Text
    """What the person types."""
