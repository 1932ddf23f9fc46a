"""The writer whose queries need two documents."""

from typing import Annotated

from pydantic import Field, model_validator

from oreline.recipe.settings.base import Count, Settings


class MultiHop(Settings):
    """retrieval/multi_hop: queries that need two chunks of a document, or two documents; both are positives."""

    within: bool = True
    """Whether a document is shown with another chunk of its parent."""
    across: bool = True
    """Whether a document is shown with one of another parent that shares rare words with it."""
    window: Count = 8
    """Chunks of one parent are shown together if they are at most this many places apart."""
    words: Annotated[int, Field(ge=4, le=64)] = 24
    """Telling words of a document, names and terms before others, by which it can be tied to others."""
    shared: Count = 2
    """Words that two documents must share at least to be shown together."""
    most_documents: Annotated[int, Field(ge=2, le=100)] = 20
    """A word that more documents of the dataset count among their telling ones ties none of them together."""
    check: bool = True
    """Whether another call says which of the documents each query needs; those that need one alone are dropped."""

    @model_validator(mode="after")
    def _some_companion(self) -> "MultiHop":
        if not (self.within or self.across):
            raise ValueError("within and across are both false, so that no document would have a companion")
        return self
