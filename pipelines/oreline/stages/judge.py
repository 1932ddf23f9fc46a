"""Stage judge: scorers grade each query's positives, known negatives and best candidates; they never act."""

from dataclasses import dataclass

import apache_beam as beam

from oreline.errors import RecipeError
from oreline.job import Job
from oreline.judging.task import Judging, StrongJudging
from oreline.stages.rounds import Round, Rounds
from oreline.stages.scoring import BLOCKS, REPORTS, FinishMeasured, KeyByRange, MeasureBlocks, PrepareBlocks
from oreline.stages.wiring import RowGroups, Spread


@dataclass(eq=False)
class Judge(beam.PTransform):
    """Scores the candidates of all queries: a cross-encoder first, then the model, then the strong one of a cascade."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage; yields encoded reports."""
        judge, rounds = self.job.recipe.judge, self._rounds()
        blocks = (
            root
            | "ListCandidates" >> RowGroups(self.job, ("candidates",))
            | "KeyByRange" >> beam.ParDo(KeyByRange(self.job)).with_output_types(tuple[int, bytes])
            | "GroupByRange" >> beam.GroupByKey()
            | "PrepareBlocks" >> beam.ParDo(PrepareBlocks(self.job)).with_output_types(bytes)
            | "SpreadBlocks" >> Spread()
        )
        reports = []
        if "cross_encoder" in judge.scorers:
            measured = blocks | "Measure" >> beam.ParDo(MeasureBlocks(self.job)).with_output_types(
                bytes, reports=bytes
            ).with_outputs(REPORTS, main=BLOCKS)
            blocks = measured[BLOCKS]
            reports.append(measured[REPORTS])
        if rounds:
            reports.append(blocks | "Ask" >> Rounds(self.job, rounds))
        else:
            reports.append(blocks | "Finish" >> beam.ParDo(FinishMeasured(self.job)).with_output_types(bytes))
        return reports | "GatherReports" >> beam.Flatten()

    def _rounds(self) -> list[Round]:
        judge, llm = self.job.recipe.judge, self.job.recipe.llm_of("judge")
        rounds = []
        if judge.asked:
            if llm is None:
                raise RecipeError("judge: it calls a model, but the recipe has no llm; set llm or judge.enabled: false")
            rounds.append(Round(llm, Judging(parks=judge.cascade is not None)))
        if judge.cascade is not None:
            rounds.append(Round(judge.cascade.llm, StrongJudging()))
        return rounds
