"""The run: the order of the stages, and the question whether each one's output is there already."""

import datetime as dt
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from oreline import files
from oreline.adoption import adopt, with_old_cache
from oreline.commit import Pending, read_outcome, sweep
from oreline.errors import CallError, Interrupted, NoTriples, OrelineError, StageFailed, Stopped
from oreline.fingerprint import finished, inputs_of, pending
from oreline.heartbeat import read_heartbeats
from oreline.job import Job
from oreline.lock import hold
from oreline.planning import chosen_stages, units_of
from oreline.preflight import check, models_told
from oreline.progress import ProgressLine, duration
from oreline.recipe.loading import dump_recipe, load_recipe, recipe_from
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import STAGES, Stage
from oreline.tables.manifest import Manifest, read_manifest

LOG = logging.getLogger("oreline")

_TALKATIVE = ("httpx", "httpx2", "google_genai.models")
"""Libraries that log a line per call to a model: at 1,000,000 calls that is a log nobody can read."""

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
    """What a run did, stage by stage in order."""

    output: str
    stages: tuple[StageResult, ...]

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
        held.enter_context(hold(made.output))
        held.enter_context(hold(made.cache_folder))
        held.enter_context(_log_file(made.output, verbose=verbose))
        _prepare(made)
        if adopt_from is not None:
            held.enter_context(hold(adopt_from))
        session = _Session(made, adopt_from, tuple(beam_options))
        result = RunResult(made.output, tuple(session.run_all(only, until)))
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
        chosen = chosen_stages(only, until)
        for stage in STAGES:
            cause = stage.skipped(self.recipe)
            if cause is not None:
                files.delete(files.join(self.recipe.output, stage.name))
                _say(f"{stage.name}: skipped, {cause}")
                yield StageResult(stage.name, "skipped", cause)
            elif stage not in chosen:
                yield StageResult(
                    stage.name, "left_out", "not asked for", manifest=_manifest_if_whole(self.recipe, stage)
                )
            else:
                yield self._one(stage)

    def _one(self, stage: Stage) -> StageResult:
        self._check_inputs(stage)
        now = pending(self.recipe, stage, _timestamp())
        manifest, cause = finished(self.recipe, stage, now)
        if manifest is not None:
            _say(f"{stage.name}: unchanged, {_counts(manifest)}")
            return StageResult(stage.name, "unchanged", "", manifest=manifest)
        if self.adopt_from is not None:
            adopted = adopt(self.adopt_from, self.recipe.output, stage.name, now.fingerprint)
            if adopted is not None:
                _say(f"{stage.name}: adopted from {self.adopt_from}, {_counts(adopted)}")
                return StageResult(stage.name, "adopted", "", manifest=adopted)
        if cause != "not run yet":
            _say(f"{stage.name}: runs again, {cause}")
        return self._execute(stage, now, cause)

    def _check_inputs(self, stage: Stage) -> None:
        for table, source in inputs_of(self.recipe, stage).items():
            if read_manifest(self.recipe.output, source) is None:
                raise CallError(
                    f"{stage.name} reads {table} of stage {source}, which is not finished in {self.recipe.output}; "
                    f"run it first (oreline run ... --until {source})"
                )

    def _execute(self, stage: Stage, now: Pending, cause: str) -> StageResult:
        output = self.recipe.output
        files.delete(files.join(output, "_progress", stage.name))
        sweep(output, stage.name)
        job = Job(output, stage.name, self.recipe, inputs_of(self.recipe, stage))
        line = ProgressLine(sys.stderr, stage.name, units_of(self.recipe, stage), time.monotonic)
        LOG.info("%s: starts (%s)", stage.name, cause)
        self._watch(job, stage, now, line)
        manifest = self._settled(stage, now)
        sweep(output, stage.name)
        _sweep_train(output, stage, manifest)
        line.finish(f"{stage.name}: {_counts(manifest)}, {duration(line.seconds)}")
        LOG.info("%s: done, %s", stage.name, _counts(manifest))
        return StageResult(stage.name, "ran", cause, line.seconds, manifest)

    def _watch(self, job: Job, stage: Stage, now: Pending, line: ProgressLine) -> None:
        """Runs the pipeline in its thread and draws progress; the first Ctrl-C asks it to stop, a second one leaves."""
        from oreline.runner import Running, run_pipeline

        running = Running(lambda: run_pipeline(job, stage, now, self.beam_options)).start()
        interrupted = False
        while True:
            try:
                while not running.wait(0.2):
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

    def _settled(self, stage: Stage, now: Pending) -> Manifest:
        """Returns the manifest that the job wrote, or raises what it stopped or failed with."""
        output = self.recipe.output
        outcome = read_outcome(output, stage.name)
        if outcome is not None:
            sweep(output, stage.name)
            if outcome.stopped == "interrupted":
                raise Interrupted(
                    f"stopped in {stage.name}; all that was finished is kept, run the same command to go on"
                )
            if outcome.stopped == "key":
                raise CallError(f"{stage.name}: {outcome.message}")
            if outcome.stopped is not None:
                raise Stopped(f"{stage.name} stopped: {outcome.message}")
            raise StageFailed(f"{stage.name} failed: {outcome.message}")
        manifest = read_manifest(output, stage.name)
        if manifest is None or manifest.fingerprint != now.fingerprint:
            raise StageFailed(f"{stage.name} ended without a manifest; see {files.join(output, 'run.log')}")
        return manifest


def _prepare(recipe: Recipe) -> None:
    files.delete(files.join(recipe.output, "_progress", "stop"))
    files.write_atomically(files.join(recipe.output, "recipe.yaml"), dump_recipe(recipe).encode())


def _sweep_train(output: str, stage: Stage, manifest: Manifest) -> None:
    if stage.name == "export":
        from oreline.exporters.sweeping import unlisted

        for path in unlisted(output, manifest):
            files.delete(path)


def _manifest_if_whole(recipe: Recipe, stage: Stage) -> Manifest | None:
    try:
        return read_manifest(recipe.output, stage.name)
    except OrelineError:
        return None


def _failure(job: Job, error: BaseException) -> OrelineError:
    """Turns what came out of a worker into one sentence; the whole traceback goes to run.log."""
    if isinstance(error, OrelineError):
        return error
    LOG.error("%s failed\n%s", job.stage, "".join(traceback.format_exception(error)))
    told = [text for text in str(error).splitlines() if text.strip()]
    last = told[-1].strip() if told else type(error).__name__
    return StageFailed(f"{job.stage} failed: {last}\nThe whole traceback is in {files.join(job.output, 'run.log')}")


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
def _log_file(output: str, *, verbose: bool) -> Iterator[None]:
    """Sends all logs of the run to `<output>/run.log`, and to standard error too if `verbose`."""
    local = files.join(output, "run.log") if files.is_local(output) else "oreline-run.log"
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handlers: list[logging.Handler] = [logging.FileHandler(local, encoding="utf-8")]
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    kept = root.handlers[:]
    root.handlers[:] = handlers
    for handler in handlers:
        handler.setFormatter(form)
    try:
        yield
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        for handler in handlers:
            handler.close()
        if not files.is_local(output):
            with open(local, "rb") as log:
                files.write_atomically(files.join(output, "run.log"), log.read())
