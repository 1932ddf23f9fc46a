"""Several rounds of calls in one job: their engines, the journal between them, and the money that they share."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from asking_house import Asking, WriteAll
from oreline.recipe.settings import Llm
from oreline.runner import runner_of
from oreline.stages.rounds import Round, Rounds
from oreline.workers import Workers

from gemini_server import GeminiServer

BLOCKS = ["\n".join(f"Document {block}-{line} tells of rivers." for line in range(10)) for block in range(4)]
LINES = 40


@dataclass
class InRounds(Asking):
    """Asks the same of the recipe's model, again of it, of another one, and once more of the first."""

    def _run(self, workers: Workers | None, options: list[str], target: str) -> str:
        pipeline = beam.Pipeline(runner=runner_of(self.recipe, workers), options=PipelineOptions(options))
        encoded = [block.encode() for block in self.blocks]
        blocks = pipeline | "Blocks" >> beam.Create(encoded).with_output_types(bytes)
        other = self.llm.model_copy(update={"model": "gemini-2.5-flash"})
        reports = blocks | Rounds(self.job, [self._round(llm) for llm in (self.llm, self.llm, other, self.llm)])
        write = beam.Map(WriteAll(target), beam.pvalue.AsIter(reports)).with_output_types(bytes)
        _ = pipeline | "Start" >> beam.Impulse() | "Write" >> write
        return str(pipeline.run().wait_until_finish())

    def _round(self, llm: Llm) -> Round:
        return Round(llm, replace(self.task, llm=llm))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_later_round_asks_nothing_that_an_earlier_one_was_answered(
    tmp_path: Path, gemini_server: GeminiServer, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = str(Path(__file__).parent)  # worker processes need what is in this folder
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
    asking = InRounds(tmp_path, gemini_server.url, BLOCKS, {"workers": workers})
    report = asking.run(f"--direct_num_workers={workers}")
    assert report.counts["answers"] == 4 * LINES
    assert report.counts["paid_requests"] == report.counts["journal_hits"] == 2 * LINES
    assert set(gemini_server.calls.values()) == {2}, "once of each model"


def test_what_one_round_spent_counts_against_the_next_ones_budget_though_its_model_is_another(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    keys: dict[str, object] = {"budget_tokens": 3000, "max_output_tokens": 100, "concurrency": 4}
    report = InRounds(tmp_path, gemini_server.url, BLOCKS, keys).run()
    assert report.stopped == "budget"
    assert report.counts["answers"] == 2 * LINES, "the first two rounds came to their end, and the last never began"
    assert LINES < report.counts["paid_requests"] < 2 * LINES
    assert 2500 < report.counts["prompt_tokens"] + report.counts["output_tokens"] <= 3000
