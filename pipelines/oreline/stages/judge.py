"""Stage judge: a model grades each query's positives, known negatives and best candidates."""

from dataclasses import dataclass

import apache_beam as beam

from oreline.errors import RecipeError
from oreline.job import Job
from oreline.judging.task import Judging
from oreline.stages.asking import Ask
from oreline.stages.wiring import RowGroups


@dataclass(eq=False)
class Judge(beam.PTransform):
    """Asks the model about the candidates of all queries; it only scores and never acts."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage; yields encoded reports."""
        llm = self.job.recipe.llm_of("judge")
        if llm is None:
            raise RecipeError("judge: it calls a model, but the recipe has no llm; set llm or judge.enabled: false")
        blocks = root | "ListCandidates" >> RowGroups(self.job, ("candidates",))
        return blocks | "Ask" >> Ask(self.job, llm, Judging())
