"""A small LLM stage for the tests of asking: one request or more per block of words."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from pydantic import BaseModel

from oreline import prompting
from oreline.ids import Tally
from oreline.job import Job, Report, StageWriter
from oreline.llm.requests import Answered, Request, request_for
from oreline.llm.retrying import Retry
from oreline.recipe.settings import Llm, Recipe
from oreline.runner import in_processes, runner_of
from oreline.stages.asking import Ask
from oreline.workers import Workers

QUICK = Retry(attempts=3, total=10.0, first=0.01, longest=0.02)
"""Retries that a test need not wait for."""

PROMPT = """---
id: test/words
version: 3
inputs:
  document: corpus
answer: Words
---
<!-- system -->
You write words.
<!-- user -->
Write two words about this.
{{ document }}
"""


class Words(BaseModel):
    """What the model answers."""

    words: list[str]
    grade: int


@dataclass(frozen=True)
class WordsTask:
    """Asks once per line of a block; leaves a line per answer in `results`, a file per block."""

    llm: Llm
    prompt: prompting.Prompt
    results: str
    fails_at: str | None = None

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        for line in block.decode().splitlines():
            rendered = self.prompt.render({"document": line})
            yield request_for(self.llm, rendered, assigned_by=line, unit_ids=[line], context=[job.stage, line])

    def usable(self, request: Request, text: str) -> bool:
        if self.fails_at is not None and self.fails_at in request.prompt:
            raise RuntimeError("the task broke")
        return not isinstance(prompting.parse(Words, text), prompting.Unusable)

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        assert job.stage == "synthesize"
        assert [each.request.unit_ids for each in answers] == [[line] for line in block.decode().splitlines()]
        writer.count("finished_blocks")
        lines = [f"{json.loads(each.request.context)[1]}\t{each.reject or each.text}" for each in answers]
        name = f"{Tally.of([block.decode()]).hash_sum:032x}"
        (Path(self.results) / name).write_text("\n".join(lines))


@dataclass
class Asking:
    """A run of the small stage over blocks of lines."""

    folder: Path
    url: str
    blocks: Sequence[str]
    settings: dict[str, object] = field(default_factory=dict)
    fails_at: str | None = None

    def __post_init__(self) -> None:
        (self.folder / "results").mkdir(parents=True, exist_ok=True)
        prompt = self.folder / "words.md"
        prompt.write_text(PROMPT)
        llm: dict[str, object] = {"model": "gemini-3.5-flash-lite", "base_url": self.url, "server": "local"}
        output = str(self.folder / "out")
        self.recipe = Recipe.model_validate(
            {"output": output, "sources": [{"path": "unread"}], "llm": {**llm, "workers": 1, **self.settings}}
        )
        assert self.recipe.llm is not None
        self.llm = self.recipe.llm
        self.job = Job(output, "synthesize", self.recipe, {})
        loaded = prompting.load(str(prompt), Words)
        self.task = WordsTask(self.llm, loaded, str(self.folder / "results"), self.fails_at)

    def run(self, *beam_options: str) -> Report:
        """Runs the pipeline and returns the sum of its reports."""
        options = ["--direct_running_mode=in_memory", "--direct_num_workers=1", *beam_options]
        target = str(self.folder / f"reports-{len(list(self.folder.glob('reports-*')))}")
        in_processes(self.recipe, "synthesize", lambda workers: self._run(workers, options, target))
        return total(Path(target).read_bytes().splitlines())

    def _run(self, workers: Workers | None, options: list[str], target: str) -> str:
        runner = runner_of(self.recipe, workers)
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        encoded = [block.encode() for block in self.blocks]
        blocks = pipeline | "Blocks" >> beam.Create(encoded).with_output_types(bytes)
        reports = blocks | Ask(self.job, self.llm, self.task, QUICK)
        write = beam.Map(WriteAll(target), beam.pvalue.AsIter(reports)).with_output_types(bytes)
        _ = pipeline | "Start" >> beam.Impulse() | "Write" >> write
        return str(pipeline.run().wait_until_finish())

    def results(self) -> list[str]:
        """Returns all lines that blocks were finished with, sorted."""
        return sorted(line for path in (self.folder / "results").iterdir() for line in path.read_text().splitlines())


@dataclass(frozen=True)
class WriteAll:
    """Writes all reports into one file; runs once, after everything."""

    target: str

    def __call__(self, _: bytes, reports: Iterable[bytes]) -> bytes:
        Path(self.target).write_bytes(b"\n".join(reports))
        return b""


def total(encoded: Iterable[bytes]) -> Report:
    """Returns the sum of reports, with the first stop or failure found."""
    reports = [Report.decode(each) for each in encoded]
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.counts)
    stop = next((each for each in reports if each.stopped or each.failure), Report())
    return Report(counts=dict(counts), stopped=stop.stopped, failure=stop.failure, message=stop.message)
