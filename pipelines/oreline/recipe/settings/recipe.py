"""A whole recipe."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import OPERATIONAL, Settings
from oreline.recipe.settings.beam import Beam
from oreline.recipe.settings.decontaminate import Decontaminate
from oreline.recipe.settings.dedup import Dedup
from oreline.recipe.settings.encoder import Encoder
from oreline.recipe.settings.export import Export
from oreline.recipe.settings.filter import Filter
from oreline.recipe.settings.imported import Run
from oreline.recipe.settings.judge import Judge
from oreline.recipe.settings.llm import Llm
from oreline.recipe.settings.mine import DENSE, Mine
from oreline.recipe.settings.select import Select
from oreline.recipe.settings.source import Source
from oreline.recipe.settings.synthesize import Synthesize


class Recipe(Settings):
    """A whole recipe."""

    output: str = Field(json_schema_extra=OPERATIONAL)
    """Folder of the run."""
    sources: Annotated[list[Source], Field(min_length=1)]
    """Where the corpus comes from; a bare path is short for {path: ...}."""
    cache: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Folder of answers and vectors; default: `<output>/_cache`; may be shared by recipes."""
    seed: int = 13
    """Seed of every draw."""
    prompts: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Folder of prompts that go before ours of the same name, laid out as `oreline init --prompts` writes them."""
    llm: Llm | None = None
    """The model; without one, no model is called."""
    encoder: Encoder = Encoder()
    """The model whose vectors are searched."""
    dedup: Dedup = Dedup()
    """Stage dedup."""
    decontaminate: Decontaminate = Decontaminate()
    """Evaluation sets that must not be trained on; dedup compares documents with them, filter queries."""
    synthesize: Synthesize = Synthesize()
    """Stage synthesize."""
    filter: Filter = Filter()
    """Stage filter."""
    mine: Mine = Mine()
    """Stage mine."""
    judge: Judge = Judge()
    """Stage judge."""
    select: Select = Select()
    """Stage select."""
    export: Export = Export()
    """Stage export."""
    beam: Beam = Field(default=Beam(), json_schema_extra=OPERATIONAL)
    """How it runs."""

    @property
    def cache_folder(self) -> str:
        """The cache, default filled in."""
        return self.cache or f"{self.output.rstrip('/')}/_cache"

    def llm_of(self, stage: Literal["synthesize", "filter", "judge"]) -> Llm | None:
        """Returns the model that a stage calls, or None if it calls none."""
        own = {
            "synthesize": self.synthesize.llm,
            "filter": self.filter.rater.llm if self.filter.rater else None,
            "judge": self.judge.llm,
        }[stage]
        return own or self.llm

    def encoders(self) -> Mapping[str, Encoder]:
        """Returns the encoders whose vectors are used, by the names of their miners; the reference is the first.

        There is none where a file of candidates is the reference.
        """
        if self.mine.reference != DENSE:
            return {}
        further = self.mine.encoders
        return {DENSE: self.encoder} | {name: further[name] for name in self.mine.miners if name in further}

    def runs(self) -> Mapping[str, Run]:
        """Returns the imported candidates that are used, by the names of their miners."""
        return {name: self.mine.runs[name] for name in self.mine.miners if name in self.mine.runs}

    def writers(self) -> Sequence[str]:
        """Returns the writers of `synthesize`, default filled in."""
        if self.synthesize.writers is not None:
            return self.synthesize.writers
        if self.llm_of("synthesize") is not None:
            return ["retrieval/fret"]
        return ["extractive/title", "extractive/inverse_cloze"]
