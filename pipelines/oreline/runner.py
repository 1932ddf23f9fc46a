"""Runs one stage's pipeline, here or on Dataflow: options, workers, a thread of its own."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, PipelineState

from oreline.commit import Pending, outcome_path
from oreline.files import delete
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import Stage, model_of
from oreline.stages.transforms import transform
from oreline.stages.wiring import Commit


def stage_workers(recipe: Recipe, stage: str) -> int:
    """Returns how many local worker processes a stage gets; stages that call a model get `llm.workers`."""
    own = recipe.beam.stages.get(stage)
    if own is not None and own.workers is not None:
        return own.workers
    called = model_of(recipe, stage)
    return called.workers if called is not None else recipe.beam.workers


def beam_arguments(recipe: Recipe, stage: str, extra: Sequence[str] = ()) -> list[str]:
    """Returns the Beam options of a stage as on a command line: the recipe's, the stage's, then `extra`."""
    workers = stage_workers(recipe, stage)
    local = [] if recipe.beam.runner != "local" else [f"--direct_num_workers={workers}"]
    if recipe.beam.runner == "local":
        # In memory for one worker: a second process would only cost its start.
        local.append(f"--direct_running_mode={'in_memory' if workers == 1 else 'multi_processing'}")
    own = recipe.beam.stages.get(stage)
    return [*local, *recipe.beam.options, *(own.options if own else []), *extra]


def runner_of(recipe: Recipe) -> PipelineRunner | str:
    """Returns the runner: FnApiRunner by name here, as `DirectRunner` would try to download a binary first."""
    return FnApiRunner() if recipe.beam.runner == "local" else "DataflowRunner"


def run_pipeline(job: Job, stage: Stage, pending: Pending, extra: Sequence[str] = ()) -> str:
    """Runs a stage's job to its end and returns Beam's last state, `DONE` if all went well.

    Afterwards the stage has a new manifest, or an outcome (see `commit`). Exceptions in workers come as RuntimeError.
    """
    delete(outcome_path(job.output, stage.name))
    options = PipelineOptions(beam_arguments(job.recipe, stage.name, extra))
    pipeline = beam.Pipeline(runner=runner_of(job.recipe), options=options)
    reports = pipeline | stage.name.capitalize() >> transform(stage.name, job)
    _ = reports | "Commit" >> Commit(job, stage, pending)
    result = pipeline.run()
    return str(result.wait_until_finish() or PipelineState.DONE)


@dataclass
class Running:
    """A pipeline in a daemon thread, so that Ctrl-C reaches the driver and not a worker."""

    work: Callable[[], str]
    state: str | None = None
    error: BaseException | None = None
    _thread: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> "Running":
        """Starts the work."""
        self._thread = threading.Thread(target=self._run, name="oreline-stage", daemon=True)
        self._thread.start()
        return self

    def wait(self, seconds: float) -> bool:
        """Waits at most `seconds`; returns whether the work has ended."""
        if self._thread is None:
            raise RuntimeError("the work was not started")
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.state = self.work()
        except BaseException as error:  # noqa: BLE001 - handed to the driver, which raises it in its own thread
            self.error = error
