"""The run: the order of the stages, and the question whether each one's output is there already."""

import datetime as dt
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

from oreline import files
from oreline.adoption import adopt, with_old_cache
from oreline.commit import Pending, read_outcome, sweep
from oreline.disks import disk_fault
from oreline.errors import BrokenTable, CallError, Interrupted, NoTriples, OrelineError, StageFailed, Stopped
from oreline.exporters.sweeping import sweep_train
from oreline.fingerprint import finished, inputs_of, pending
from oreline.heartbeat import read_heartbeats
from oreline.job import Job
from oreline.llm.journal.compaction import settle
from oreline.llm.ownership import output_id
from oreline.llm.spending import Spending, purse, spent
from oreline.lock import check_held, hold
from oreline.logs import log_file
from oreline.planning import chosen_stages, units_of
from oreline.preflight import check, dedup_told, judge_told, mine_told, models_told
from oreline.progress import LINE_SECONDS, ProgressLine, duration
from oreline.recipe.loading import dump_recipe, load_recipe, recipe_from
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import STAGES, Stage, model_of
from oreline.tables.manifest import Manifest, broken_parts, read_manifest, whole_manifest

LOG = logging.getLogger("oreline")

_BEAM_SAYS = re.compile(r"^oreline\.[\w.]+: |\s*\[while running '[^']*'\]$")
"""What stands around the message of one of our errors in a worker's traceback."""

How = Literal["ran", "unchanged", "adopted", "skipped", "left_out"]


@dataclass(frozen=True)
class StageResult:
    """What a run did about one stage; `cause` says why it was skipped or run, `seconds` how long it took."""

    name: str
    how: How
    cause: str
    seconds: float = 0.0
    manifest: Manifest | None = None


@dataclass(frozen=True)
class RunResult:
    """What a run did, stage by stage in order, and what its output has spent on models by now."""

    output: str
    stages: tuple[StageResult, ...]
    spent: Spending = field(default_factory=Spending)

    @property
    def triples(self) -> int | None:
        """The number of triples, or None if select was not reached."""
        seen = [each for each in self.stages if each.name == "select" and each.how != "left_out"]
        manifests = [each.manifest for each in seen if each.manifest is not None]
        return manifests[0].rows("triples") if manifests else None


def run(
    recipe: str | Mapping[str, object],
    *,
    only: str | None = None,
    until: str | None = None,
    adopt_from: str | None = None,
    overrides: Sequence[str] = (),
    beam_options: Sequence[str] = (),
    verbose: bool = False,
) -> RunResult:
    """Runs a recipe (a path, or the recipe itself as a mapping) and returns what was done.

    `only` and `until` name stages; `adopt_from` is an earlier output whose finished stages are taken over where their
    fingerprints are equal; `overrides` are `a.b=value`; `beam_options` go to Beam as they are.

    Raises CallError (exit code 2) before anything is spent, StageFailed or NoTriples (3), Stopped (4) at a budget or
    quota, Interrupted (130) after Ctrl-C. What finished stays, and the same call goes on from there.
    """
    loaded = load_recipe(recipe, overrides) if isinstance(recipe, str) else recipe_from(recipe, overrides)
    loaded = with_old_cache(loaded, adopt_from)
    chosen_stages(only, until)
    plan = check(loaded, only=only, until=until, adopt_from=adopt_from, beam_options=beam_options)
    made = loaded.recipe
    for told in models_told(made, plan):
        _say(told)
    with ExitStack() as held:
        for folder in _locked(made, adopt_from):
            held.enter_context(hold(folder))
        held.enter_context(log_file(made.output, verbose=verbose))
        held.enter_context(_endings_logged(made))
        _prepare(made)
        for told in (*dedup_told(made, plan, warnings_only=True), *mine_told(made, plan), *judge_told(made, plan)):
            _say(told)
        session = _Session(made, adopt_from, tuple(beam_options))
        stages = tuple(session.run_all(only, until))
        result = RunResult(made.output, stages, spent(made.output, made.cache_folder))
        if result.triples == 0:
            raise NoTriples(_no_triples(result))
    return result


@dataclass
class _Session:
    """The stages of one run, one after the other, under its locks."""

    recipe: Recipe
    adopt_from: str | None
    beam_options: tuple[str, ...]

    def run_all(self, only: str | None, until: str | None) -> Iterator[StageResult]:
        """Yields what was done about each stage, in order."""
        chosen = chosen_stages(only, until)
        for stage in STAGES:
            cause = stage.skipped(self.recipe)
            if cause is not None:
                if stage in chosen:
                    files.delete(files.join(self.recipe.output, stage.name))
                _say(f"{stage.name}: skipped, {cause}")
                yield StageResult(stage.name, "skipped", cause)
            elif stage not in chosen:
                manifest = whole_manifest(self.recipe.output, stage.name)
                yield StageResult(stage.name, "left_out", "not asked for", manifest=manifest)
            else:
                yield self._one(stage)

    def _one(self, stage: Stage) -> StageResult:
        for folder in (self.recipe.output, self.recipe.cache_folder):
            check_held(folder)
        self._check_inputs(stage)
        now = pending(self.recipe, stage, _timestamp())
        manifest, cause = finished(self.recipe, stage, now)
        if manifest is not None:
            # A run that was killed after its commit, or a job that outlived its driver, swept nothing.
            tidy(self.recipe.output, stage)
            _say(f"{stage.name}: unchanged, {_counts(manifest)}")
            return StageResult(stage.name, "unchanged", "", manifest=manifest)
        if self.adopt_from is not None:
            adopted = adopt(self.adopt_from, self.recipe.output, stage, now, inputs_of(self.recipe, stage))
            if adopted is not None:
                tidy(self.recipe.output, stage)
                _say(f"{stage.name}: adopted from {self.adopt_from}, {_counts(adopted)}")
                return StageResult(stage.name, "adopted", "", manifest=adopted)
        if cause != "not run yet":
            _say(f"{stage.name}: runs again, {cause}")
        return self._execute(stage, now, cause)

    def _check_inputs(self, stage: Stage) -> None:
        """Raises CallError or BrokenTable for an input that is not whole: with --only nothing brings it back."""
        for table, source in inputs_of(self.recipe, stage).items():
            manifest = read_manifest(self.recipe.output, source)
            if manifest is None:
                raise CallError(
                    f"{stage.name} reads {table} of stage {source}, which is not finished in {self.recipe.output}; "
                    f"run it first (oreline run ... --until {source})"
                )
            if problems := broken_parts(self.recipe.output, manifest):
                raise BrokenTable(
                    f"{stage.name} reads {table} of stage {source}, but {problems[0]}; run the recipe without --only"
                )

    def _execute(self, stage: Stage, now: Pending, cause: str) -> StageResult:
        output = self.recipe.output
        job = Job(output, stage.name, self.recipe, inputs_of(self.recipe, stage))
        LOG.info("%s: starts (%s)", stage.name, cause)
        seconds, manifest = execute(job, stage, now, self.beam_options)
        LOG.info("%s: done, %s", stage.name, _counts(manifest))
        return StageResult(stage.name, "ran", cause, seconds, manifest)


def execute(job: Job, stage: Stage, now: Pending, beam_options: Sequence[str]) -> tuple[float, Manifest]:
    """Runs a stage's job to its end, under its output's lock; returns the seconds it took and its new manifest.

    Raises StageFailed, Stopped, Interrupted or CallError by how the job ended. In any case the stage's folder then
    holds what its manifest lists and nothing else.
    """
    files.delete(files.join(job.output, "_progress", stage.name))
    tidy(job.output, stage)
    llm = model_of(job.recipe, stage.name)
    money = purse(job.output, job.recipe.cache_folder, llm) if llm is not None else None
    units = units_of(job.recipe, stage)
    total = None if units is None else units * stage.rounds(job.recipe)
    line = ProgressLine(sys.stderr, stage.name, total, time.monotonic, money)
    try:
        _watch(job, stage, now, beam_options, line)
        manifest = settled(job.output, stage, now)
    finally:
        tidy(job.output, stage)
    line.finish(f"{stage.name}: {_counts(manifest)}, {duration(line.seconds)}")
    return line.seconds, manifest


def tidy(output: str, stage: Stage) -> None:
    """Deletes what a stage left on disk and its manifest does not list; called under the output's lock."""
    sweep(output, stage.name)
    if stage.name == "export":
        sweep_train(output, whole_manifest(output, stage.name))


def _watch(job: Job, stage: Stage, now: Pending, beam_options: Sequence[str], line: ProgressLine) -> None:
    """Runs the pipeline in its thread and draws progress; the first Ctrl-C asks it to stop, a second one leaves."""
    from oreline.runner import Running, run_pipeline

    running = Running(lambda: run_pipeline(job, stage, now, beam_options)).start()
    pause = 0.2 if files.is_local(job.output) else LINE_SECONDS
    interrupted = False
    while True:
        try:
            while not running.wait(pause):
                line.draw(read_heartbeats(job.output, stage.name))
            break
        except KeyboardInterrupt:
            if interrupted:
                _say("\nleft at once; answers and vectors that were on disk are kept")
                os._exit(Interrupted.exit_code)
            interrupted = True
            files.write_atomically(files.join(job.output, "_progress", "stop"), b"")
            _say(f"\n{stage.name}: stopping, what is in flight is written down; Ctrl-C again leaves at once")
    if running.error is not None:
        raise _failure(job, running.error) from running.error
    if interrupted and read_outcome(job.output, stage.name) is None:
        raise Interrupted(f"stopped after {stage.name}; run the same command to go on")


def settled(output: str, stage: Stage, now: Pending) -> Manifest:
    """Returns the manifest that the job wrote, or raises what it stopped or failed with."""
    outcome = read_outcome(output, stage.name)
    if outcome is not None:
        if outcome.stopped == "interrupted":
            raise Interrupted(f"stopped in {stage.name}; all that was finished is kept, run the same command to go on")
        if outcome.failure is not None:
            raise StageFailed(f"{stage.name} failed: {outcome.message}")
        if outcome.stopped == "key":
            raise CallError(f"{stage.name}: {outcome.message}")
        raise Stopped(f"{stage.name} stopped: {outcome.message}")
    manifest = whole_manifest(output, stage.name)
    # An earlier manifest may have the same fingerprint: then the stage ran because parts of it were gone.
    if manifest is None or (manifest.fingerprint, manifest.written) != (now.fingerprint, now.written):
        raise StageFailed(f"{stage.name} ended without a manifest; see {files.join(output, 'run.log')}")
    return manifest


def _locked(recipe: Recipe, adopt_from: str | None) -> list[str]:
    """Returns the folders that a run locks, each once: a cache may be the earlier output itself."""
    folders = [recipe.output, recipe.cache_folder, *([adopt_from] if adopt_from is not None else [])]
    return list({os.path.realpath(each) if files.is_local(each) else each: each for each in folders}.values())


def _prepare(recipe: Recipe) -> None:
    files.delete(files.join(recipe.output, "_progress", "stop"))
    output_id(recipe.output)
    settle(recipe.cache_folder)
    files.write_atomically(files.join(recipe.output, "recipe.yaml"), dump_recipe(recipe).encode())


def _failure(job: Job, error: BaseException) -> OrelineError:
    """Turns what came out of a worker into one sentence; the whole traceback goes to run.log."""
    LOG.error("%s failed\n%s", job.stage, "".join(traceback.format_exception(error)))
    if (fault := disk_fault(str(error))) is not None:
        return StageFailed(f"{job.stage} failed: {_disk_message(job.recipe, fault)}")
    if isinstance(error, OrelineError) and not _BEAM_SAYS.search(str(error)):
        return error
    told = [text for text in str(error).splitlines() if text.strip()]
    # Beam hands on a worker's error with the step, or a traceback as text whose last line is the error.
    last = _BEAM_SAYS.sub("", told[-1].strip()) if told else type(error).__name__
    return StageFailed(f"{job.stage} failed: {last}\nThe whole traceback is in {files.join(job.output, 'run.log')}")


def _disk_message(recipe: Recipe, fault: str) -> str:
    folders = " or ".join(dict.fromkeys([recipe.output, recipe.cache_folder]))
    return (
        f"a disk takes no more ({fault}), that of {folders}; make room there and run the same command to go on: "
        "what was finished and every answer in the journal are kept"
    )


def _no_triples(result: RunResult) -> str:
    drops: dict[str, int] = {}
    for each in result.stages:
        if each.manifest is not None:
            for reason, number in each.manifest.drops.items():
                drops[f"{each.name}: {reason}"] = number
    largest = sorted(drops.items(), key=lambda item: -item[1])[:5]
    told = (
        "".join(f"\n  {number:>8,}  {reason}" for reason, number in largest)
        or "\n  nothing was dropped: no query came in"
    )
    return f"no triple came out; the largest reasons were:{told}\nSee: oreline show {result.output} --rejects"


def _counts(manifest: Manifest) -> str:
    tables = [name for name in manifest.tables if name not in ("fates", "rejects")]
    rows = ", ".join(f"{manifest.rows(name):,} {name}" for name in sorted(tables))
    dropped = manifest.books.dropped.count
    return rows + (f", {dropped:,} dropped" if dropped else "")


def _say(text: str) -> None:
    LOG.info(text.strip())
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _timestamp() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


@contextmanager
def _endings_logged(recipe: Recipe) -> Iterator[None]:
    """Writes to the log how a run ended if it did not end well; Ctrl-C between two stages is an Interrupted too."""
    try:
        yield
    except OrelineError as error:
        LOG.warning("ended by %s: %s", type(error).__name__, error)
        raise
    except OSError as error:
        if (fault := disk_fault(str(error))) is None:
            raise
        raise StageFailed(_disk_message(recipe, fault)) from error
    except KeyboardInterrupt as error:
        LOG.info("interrupted between stages")
        raise Interrupted("stopped between two stages; run the same command to go on") from error
