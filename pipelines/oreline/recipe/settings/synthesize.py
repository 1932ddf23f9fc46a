"""Queries written from documents."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Count, Settings
from oreline.recipe.settings.brainstorm import Brainstorm
from oreline.recipe.settings.classification import Classification, Labelled
from oreline.recipe.settings.code import Describe, Question
from oreline.recipe.settings.few_shot import FewShot
from oreline.recipe.settings.llm import Llm
from oreline.recipe.settings.multi_hop import MultiHop
from oreline.recipe.settings.persona import Persona
from oreline.recipe.settings.summarize import Summarize


class Synthesize(Settings):
    """Queries written from documents."""

    enabled: bool = True
    """Whether the stage runs."""
    writers: Annotated[list[str], Field(min_length=1)] | None = None
    """Writers; default: retrieval/fret with an LLM, else extractive/title and extractive/inverse_cloze."""
    shares: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    """Weights of writers that split the documents among them, by a hash of the id; the others write for every one."""
    per_document: Count = 2
    """Queries an LLM writer writes for a document."""
    sample: Count | None = None
    """About how many documents are written for, chosen by a hash of the id; default: all."""
    stratify: Literal["none", "dataset", "lang"] = "none"
    """What `sample` is split evenly over: nothing, datasets, or the documents' languages; one with too few documents
    gives what it has, and the others more."""
    datasets: list[str] | None = None
    """Datasets that are written for; default: all if `writers` is set, else those that bring no pairs."""
    describe: Describe = Describe()
    """How code/describe writes."""
    question: Question = Question()
    """How code/question writes."""
    multi_hop: MultiHop = MultiHop()
    """How retrieval/multi_hop writes."""
    persona: Persona = Persona()
    """How retrieval/persona writes."""
    few_shot: FewShot | None = None
    """How retrieval/few_shot writes; it needs the task and examples of it."""
    summarize: Summarize = Summarize()
    """How retrieval/summarize writes."""
    brainstorm: Brainstorm = Brainstorm()
    """How generated/brainstorm writes."""
    classification: Classification = Classification()
    """How classification/counterfactual, /sentiment, /reviews and /task write."""
    labelled: Labelled = Labelled()
    """How classification/labelled pairs texts with classes."""
    llm: Llm | None = None
    """A model for this stage alone."""
