"""Runs one stage's pipeline, here or on Dataflow: options, workers, a thread of its own."""

import os
import shlex
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, PipelineState
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from oreline.commit import Pending, outcome_path
from oreline.files import delete, is_local, join
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import Stage, stage_workers
from oreline.stages.transforms import transform
from oreline.stages.wiring import Commit


def beam_arguments(recipe: Recipe, stage: str, extra: Sequence[str] = ()) -> list[str]:
    """Returns the Beam options of a stage as on a command line: the recipe's, the stage's, then `extra`."""
    workers = stage_workers(recipe, stage)
    local = [f"--direct_num_workers={workers}"] if recipe.beam.runner == "local" else []
    own = recipe.beam.stages.get(stage)
    return [*local, *recipe.beam.options, *(own.options if own else []), *extra]


def runner_of(recipe: Recipe, stage: str) -> PipelineRunner | str:
    """Returns the runner: FnApiRunner by name here, as `DirectRunner` would try to download a binary first.

    One worker runs in this process, as a second one would only cost its start; several run in processes of their own.
    """
    if recipe.beam.runner != "local":
        return "DataflowRunner"
    if stage_workers(recipe, stage) == 1:
        return FnApiRunner()
    return FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(_worker_command(recipe, stage)))


def _worker_command(recipe: Recipe, stage: str) -> str:
    """Returns the shell command that starts a worker process.

    Beam's own would end at Ctrl-C, which reaches the whole process group but is the driver's to handle, and would log
    to the terminal what the driver's log has too.
    """
    log = os.devnull
    if is_local(recipe.output):
        log = os.path.abspath(join(recipe.output, "_progress", f"{stage}.workers.log"))
        os.makedirs(os.path.dirname(log), exist_ok=True)
    python = shlex.quote(sys.executable)
    return f"trap '' INT; exec {python} -m apache_beam.runners.worker.sdk_worker_main 2>>{shlex.quote(log)}"


def run_pipeline(job: Job, stage: Stage, pending: Pending, extra: Sequence[str] = ()) -> str:
    """Runs a stage's job to its end and returns Beam's last state, `DONE` if all went well.

    Afterwards the stage has a new manifest, or an outcome (see `commit`). Exceptions in workers come as RuntimeError.
    """
    delete(outcome_path(job.output, stage.name))
    options = PipelineOptions(beam_arguments(job.recipe, stage.name, extra))
    pipeline = beam.Pipeline(runner=runner_of(job.recipe, stage.name), options=options)
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
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def start(self) -> "Running":
        """Starts the work."""
        threading.Thread(target=self._run, name="oreline-stage", daemon=True).start()
        return self

    def wait(self, seconds: float) -> bool:
        """Waits at most `seconds`; returns whether the work has ended."""
        # Not Thread.join: until Python 3.13, Ctrl-C within it leaves a running thread marked as ended.
        return self._ended.wait(seconds)

    def _run(self) -> None:
        try:
            self.state = self.work()
        except BaseException as error:  # noqa: BLE001 - handed to the driver, which raises it in its own thread
            self.error = error
        finally:
            self._ended.set()
