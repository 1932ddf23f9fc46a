"""Runs one stage's pipeline, here or on Dataflow: options, workers, a thread of its own."""

import gc
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, PipelineState
from apache_beam.runners.worker.statesampler import DEFAULT_SAMPLING_PERIOD_MS, StateSampler
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from oreline.commit import Pending, outcome_path
from oreline.errors import StageFailed
from oreline.files import delete, is_local, join
from oreline.job import Job
from oreline.logs import TALKATIVE
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import BY_NAME, Stage, model_of, stage_workers
from oreline.stages.transforms import transform
from oreline.stages.wiring import Commit
from oreline.workers import Workers, watched

_LOOK_SECONDS = 0.5
_TURN_SECONDS = 0.0005
_SAMPLE_MILLISECONDS = 5
_YOUNG_OBJECTS = 10_000

View = TypeVar("View", bound=PipelineOptions)


class ParsedOnce(PipelineOptions):  # type: ignore[misc]  # Beam's options are not typed
    """Beam's options, each view parsed once: Beam asks for one at every transform, hundreds of times a stage."""

    def view_as(self, cls: type[View]) -> View:
        """Returns the options as one of Beam's classes; all views share their values."""
        views = cast("dict[type[PipelineOptions], PipelineOptions]", self.__dict__.setdefault("_views", {}))
        if cls not in views:
            views[cls] = super().view_as(cls)
        return cast("View", views[cls])


def beam_arguments(recipe: Recipe, stage: str, extra: Sequence[str] = ()) -> list[str]:
    """Returns the Beam options of a stage as on a command line: the recipe's, the stage's, then `extra`."""
    workers = 1 if BY_NAME[stage].threads else stage_workers(recipe, stage)
    local = [f"--direct_num_workers={workers}"] if recipe.beam.runner == "local" else []
    own = recipe.beam.stages.get(stage)
    # Workers elsewhere log through Beam, which the levels of the driver's loggers do not reach.
    quiet = [] if local else [f"--sdk_harness_log_level_overrides={json.dumps(dict.fromkeys(TALKATIVE, 'WARNING'))}"]
    return [*local, *quiet, *recipe.beam.options, *(own.options if own else []), *extra]


def runner_of(recipe: Recipe, workers: Workers | None = None) -> PipelineRunner | str:
    """Returns the runner: FnApiRunner by name here, as `DirectRunner` would try to download a binary first.

    One worker runs in this process, as a second one would only cost its start; several, which are given, run in
    processes of their own. Threads of this process are the stage's affair (`stages.threads`).
    """
    if recipe.beam.runner != "local":
        return "DataflowRunner"
    if workers is None:
        return FnApiRunner()
    return FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(workers.command()))


def run_pipeline(job: Job, stage: Stage, pending: Pending, extra: Sequence[str] = ()) -> str:
    """Runs a stage's job to its end and returns Beam's last state, `DONE` if all went well.

    Afterwards the stage has a new manifest, or an outcome (see `commit`). Exceptions in workers come as RuntimeError;
    a worker process that dies as StageFailed.
    """
    delete(outcome_path(job.output, stage.name))
    options = ParsedOnce(beam_arguments(job.recipe, stage.name, extra))

    def run(workers: Workers | None) -> str:
        pipeline = beam.Pipeline(runner=runner_of(job.recipe, workers), options=options)
        # Beam deletes it after the run alone, and a run may be killed; it is for transforms in other languages.
        shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)
        reports = pipeline | stage.name.capitalize() >> transform(stage.name, job)
        _ = reports | "Commit" >> Commit(job, stage, pending)
        # A loop that sends calls waits for the interpreter as well, and the provider for its next call with it.
        hurried = stage.threads or model_of(job.recipe, stage.name) is not None
        with old_objects_left_alone(), quick_turns(on=hurried), frequent_samples():
            result = pipeline.run()
            return str(result.wait_until_finish() or PipelineState.DONE)

    return in_processes(job.recipe, stage.name, run)


def in_processes(recipe: Recipe, stage: str, run: Callable[[Workers | None], str]) -> str:
    """Runs a pipeline, with its stage's worker processes if there are several here, and returns Beam's last state.

    Raises StageFailed if one of them dies.
    """
    if recipe.beam.runner != "local" or stage_workers(recipe, stage) == 1 or BY_NAME[stage].threads:
        return run(None)
    remote = not is_local(recipe.output)
    logs = None if remote else os.path.abspath(join(recipe.output, "_progress", f"{stage}.workers"))
    with watched(logs) as workers:
        running = Running(lambda: run(workers)).start()
        while not running.wait(_LOOK_SECONDS):
            workers.check()
        if running.error is not None and (died := workers.told()) is not None:
            raise StageFailed(f"{stage} failed: {died}") from running.error
    if running.error is not None:
        raise running.error
    return running.state or PipelineState.UNKNOWN


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """Keeps garbage collections off what is loaded already: Beam's modules alone are some 100 ms each time.

    What a stage holds are rows, which are in no cycles: it looks for cycles after many of them, not after 700.
    """
    before = gc.get_threshold()
    raised = 0 < before[0] < _YOUNG_OBJECTS  # of two runs at a time, the first restores what was before both
    if raised:
        gc.set_threshold(_YOUNG_OBJECTS, *before[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if raised:
            gc.set_threshold(*before)


@contextmanager
def quick_turns(*, on: bool) -> Iterator[None]:
    """Lets threads that come back from a kernel or from Arrow have the interpreter after half a millisecond.

    They wait for Python's usual 5 ms each time, a tenth of what a stage takes whose work lies outside the lock.
    """
    before = sys.getswitchinterval()
    if not on or before <= _TURN_SECONDS:  # of two runs at a time, the first restores what was before both
        yield
        return
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def frequent_samples() -> Iterator[None]:
    """Lets Beam look every few milliseconds which step a bundle is in, instead of every 200.

    At the end of each bundle it waits for the thread that looks, a tenth of a second on average, and a stage has many.
    """
    before = StateSampler.__init__.__defaults__
    if before != (DEFAULT_SAMPLING_PERIOD_MS,):  # another run in this process has changed it, and will restore it
        yield
        return
    StateSampler.__init__.__defaults__ = (_SAMPLE_MILLISECONDS,)
    try:
        yield
    finally:
        StateSampler.__init__.__defaults__ = before


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
