"""What a model answers when it lists people and things, and when it writes labelled texts."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from oreline.writing.answers import Text


class ListAnswer(BaseModel):
    """A long list."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    entries: Annotated[list[Text], Field(min_length=1)]
    """One line each, the less usual the later."""


class LabelledText(BaseModel):
    """A text with its class."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    label: Text
    """The class, spelled as it was given."""
    text: Text
    """The text."""


class LabelledTextsAnswer(BaseModel):
    """Texts by one person about one thing."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    texts: Annotated[list[LabelledText], Field(min_length=1)]
    """As many as were asked for, in the order of the classes that was given."""
