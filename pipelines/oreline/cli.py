"""The command line: reads arguments, calls one function, prints what it returns. Beam and torch stay unloaded here.

Results go to standard output, messages to standard error. Exit codes: 0 done; 2 the recipe or the call is wrong;
3 a stage failed or no triple came out; 4 stopped at a budget or quota; 130 interrupted.
"""

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from oreline import __version__
from oreline.errors import CallError, OrelineError
from oreline.stages.catalog import BY_NAME

if TYPE_CHECKING:
    from rich.console import RenderableType

Command = TypeVar("Command", bound=Callable[..., None])

_UNEXPECTED = 3
_INTERRUPTED = 130
_PIPE_WIDTH = 110
_STAGE = click.Choice(tuple(BY_NAME))
_RUN_EPILOG = """\b
Examples:
  oreline run recipe.yaml
  oreline run recipe.yaml --until filter
  oreline run recipe.yaml --set select.negatives=8 --set sources.0.path=docs
  oreline run recipe.yaml --from out/old --set output=out/new --set encoder.model=checkpoints/1
  oreline run recipe.yaml -- --direct_runner_bundle_repeat=1

\b
Exit codes: 0 done; 2 the recipe or the call is wrong, nothing was spent; 3 a stage failed, or no triple
came out; 4 stopped at the budget or a quota, run it again to go on; 130 interrupted, run it again to go on.
"""
_GROUP_EPILOG = """\b
First steps:
  oreline init --demo && oreline run recipe.yaml     triples from Python's own documentation, no key needed
  oreline init docs/  && oreline run recipe.yaml     from a folder of your own

Paths in a recipe are relative to the folder in which oreline is called. Keys are read from GEMINI_API_KEY or
GOOGLE_API_KEY, never from a recipe.
"""


@dataclass
class Session:
    """What the top level must know of a command when it fails: whether to show tracebacks, and where the log is."""

    verbose: bool = False
    log: str | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line (default: the program's own arguments) and returns the exit code."""
    session = Session()
    _quiet_logging()
    try:
        code = oreline.main(
            list(arguments) if arguments is not None else None, prog_name="oreline", standalone_mode=False, obj=session
        )
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.NoSuchOption) and error.ctx is not None and error.ctx.command.name == "run":
            _say("Beam's own options stand after a double dash: oreline run recipe.yaml -- --option=value")
        return error.exit_code
    except OrelineError as error:
        _say(_traceback(error) if session.verbose else f"oreline: {error}")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("oreline: interrupted")
        return _INTERRUPTED
    except SystemExit as error:
        # click and rich leave with 1 when the reader of a pipe, say `head`, has seen enough: that is no failure.
        return error.code if isinstance(error.code, int) and error.code != 1 else 0
    except Exception as error:  # noqa: BLE001 - the last place that can turn a bug into one line and a log entry
        return _unexpected(error, session)
    return code if isinstance(code, int) else 0


def entry() -> NoReturn:
    """The program: runs the command line and leaves with its exit code, without tearing the interpreter down.

    Everything is written and closed by then, but threads of Beam, gRPC and Arrow may still run; now and then one of
    them aborts the process while the interpreter goes, and a run that went well would exit with -6.
    """
    code = main()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    os._exit(code)


def _unexpected(error: Exception, session: Session) -> int:
    text = _traceback(error)
    summary = " ".join(str(error).split())
    line = f"oreline: unexpected {type(error).__name__}: {summary}"
    if session.verbose:
        _say(text)
    elif session.log is not None and _append(session.log, text):
        _say(f"{line}\nThe traceback is in {session.log}; please report it")
    else:
        _say(f"{line}\nCall it again with --verbose for the traceback; please report it")
    return _UNEXPECTED


def _append(path: str, text: str) -> bool:
    if not os.path.exists(path):
        return False  # the run did not get as far as its log, so its output may not be ours to write into
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return False
    return True


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _say(text: str) -> None:
    click.echo(text, err=True)


def _quiet_logging() -> None:
    """Keeps libraries' log lines off the terminal; a run sends them to its log."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _verbose(command: Command) -> Command:
    """Adds --verbose, which shows tracebacks."""

    def remember(context: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's signature
        session = context.ensure_object(Session)
        session.verbose = session.verbose or value
        return value

    help_text = "Show tracebacks and the log on standard error."
    option = click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=remember, help=help_text)
    return option(command)


def _recipe_options(command: Command) -> Command:
    """Adds what `plan` and `run` have in common: the recipe, its overrides, and which stages are meant."""
    for decorate in (
        _verbose,
        click.option(
            "--from", "adopt_from", metavar="OLD", type=click.Path(), help="Adopt an earlier output's stages."
        ),
        click.option("--set", "overrides", metavar="A.B=V", multiple=True, help="Set a key of the recipe; repeatable."),
        click.option("--until", type=_STAGE, metavar="STAGE", help="Stop after this stage."),
        click.option("--only", type=_STAGE, metavar="STAGE", help=f"This stage alone: {', '.join(BY_NAME)}."),
        click.argument("recipe", type=click.Path()),
    ):
        command = decorate(command)
    return command


@click.group(epilog=_GROUP_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="oreline", message="%(prog)s %(version)s")
@_verbose
def oreline() -> None:
    """Turn a corpus into training data for embedding models.

    Queries are written, noisy ones filtered, near-duplicates removed, hard negatives mined with the encoder that is
    being trained, and Parquet triples written.
    """


@oreline.command(
    epilog="""\b
Examples:
  oreline init docs/                  a recipe for a folder of markdown, text, jsonl, parquet, BEIR...
  oreline init --demo                 the demo's recipe: Python's own documentation, no key needed
  oreline init --prompts my-prompts   the prompts, to be edited
"""
)
@click.argument("path", required=False, type=click.Path())
@click.option("--demo", is_flag=True, help="Write the demo's recipe.")
@click.option("--prompts", metavar="DIR", type=click.Path(), help="Copy the prompts there, for editing.")
@click.option("--recipe", "target", default="recipe.yaml", show_default=True, type=click.Path(), help="File to write.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@_verbose
def init(path: str | None, *, demo: bool, prompts: str | None, target: str, force: bool) -> None:
    """Look at PATH and write a commented recipe for it."""
    from oreline.recipe.starting import start

    if demo and path is not None:
        raise click.UsageError("--demo has a corpus of its own; give a PATH or --demo, not both")
    for line in start(path, demo=demo, prompts=prompts, target=target, force=force, environment=os.environ):
        click.echo(line)


@oreline.command()
@_recipe_options
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.option("--offline", is_flag=True, help="Estimate tokens instead of having the provider count some, for nothing.")
def plan(
    *,
    recipe: str,
    only: str | None,
    until: str | None,
    overrides: tuple[str, ...],
    adopt_from: str | None,
    as_json: bool,
    offline: bool,
) -> None:
    """Show what a run would do and cost. Spends nothing.

    Stage by stage: what runs, what is there already and why; calls to models, tokens, dollars and time, with ranges.
    A key is not needed; with one, the provider counts the tokens of some prompts, which is free.
    """
    from oreline.recipe.loading import load_recipe

    loaded = load_recipe(recipe, overrides)  # before Beam is imported: a wrong recipe is told at once
    from oreline.adoption import with_old_cache
    from oreline.forecast.counters import at_the_provider, nowhere
    from oreline.forecast.telling import Telling
    from oreline.forecast.whole import forecast
    from oreline.preflight import check, dedup_told, judge_told
    from oreline.reports.plan import plan_json, plan_report

    loaded = with_old_cache(loaded, adopt_from)
    planned = check(loaded, only=only, until=until, adopt_from=adopt_from, access=False)
    counter = nowhere if offline else at_the_provider
    telling = Telling(sys.stderr, time.monotonic)
    costs = forecast(
        loaded.recipe, planned, adopt_from=adopt_from, counter=counter, progress=telling, during=telling.during
    )
    if as_json:
        click.echo(json.dumps(plan_json(planned, costs), ensure_ascii=False, indent=2))
        return
    _print_report(plan_report(planned, costs))
    for told in (*dedup_told(loaded.recipe, planned), *judge_told(loaded.recipe, planned)):
        click.echo(told)


@oreline.command(epilog=_RUN_EPILOG)
@_recipe_options
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Triples printed at the end, to be looked at.",
)
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- BEAM OPTIONS]")
@click.pass_obj
def run(
    session: Session,
    *,
    recipe: str,
    only: str | None,
    until: str | None,
    overrides: tuple[str, ...],
    adopt_from: str | None,
    examples: int,
    beam_options: tuple[str, ...],
) -> None:
    """Run RECIPE, every stage that is not there yet.

    It ends with a table of fates by stage, a few triples, and the paths written.
    Relative paths in RECIPE are relative to the folder in which oreline is called. What is finished is not done again.
    """
    from oreline.recipe.loading import load_recipe

    loaded = load_recipe(recipe, overrides)  # before Beam is imported: a wrong recipe is told at once
    from oreline import running
    from oreline.reports.ending import ending

    if "://" not in loaded.recipe.output:
        session.log = os.path.join(loaded.recipe.output, "run.log")
    result = running.run(
        recipe,
        only=only,
        until=until,
        adopt_from=adopt_from,
        overrides=overrides,
        beam_options=beam_options,
        verbose=session.verbose,
    )
    _print_report(ending(result, examples, loaded.recipe.seed))


@oreline.command()
@click.argument("path", type=click.Path())
@click.option("--rejects", is_flag=True, help="What was dropped, and why.")
@click.option("--clusters", is_flag=True, help="Duplicates with the document that was kept.")
@click.option("--contamination", is_flag=True, help="What training rows and benchmarks have in common.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Rows shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row.")
@_verbose
def show(path: str, *, rejects: bool, clusters: bool, contamination: bool, limit: int, as_json: bool) -> None:
    """Show any table, stage, output or journal in the terminal."""
    from oreline.reports.show import show as show_path

    _print_report(
        show_path(path, rejects=rejects, clusters=clusters, contamination=contamination, limit=limit, as_json=as_json)
    )


@oreline.command(
    epilog="""\b
Examples:
  oreline calibrate out/handbook
  oreline calibrate out/handbook --html calibration.html
  oreline calibrate out/nl2bash --labels qrels/all.tsv    positives that the run was not shown
  oreline run recipe.yaml --set 'select.ceiling={margin: 0.05}'    selects again, in seconds
"""
)
@click.argument("output", type=click.Path())
@click.option("--html", metavar="FILE", type=click.Path(), help="Write curves and tables as one page.")
@click.option("--labels", metavar="QRELS", type=click.Path(), help="Relevant pairs to count false negatives by.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@_verbose
def calibrate(output: str, *, html: str | None, labels: str | None, as_json: bool) -> None:
    """Show what other ceilings would give, and suggest one.

    From OUTPUT's stored candidates: rows with all negatives and with at least one, how hard they are, and how many are
    relevant as far as a judge or labels know. Nothing is encoded, searched or asked.
    """
    from oreline.reports.calibrate import calibrate_report

    _print_report(calibrate_report(output, html=html, labels=labels, as_json=as_json))


@oreline.command(
    epilog="""\b
Examples:
  oreline compare out/first out/second
  oreline run recipe.yaml --from out/first --set output=out/second --set encoder.model=checkpoints/1
  oreline compare out/first out/second --limit 10     mine, train, mine: what the checkpoint changed
"""
)
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path())
@click.option("--limit", type=click.IntRange(0), default=3, show_default=True, help="Changed rows shown with texts.")
@click.option("--json", "as_json", is_flag=True, help="Print everything but the rows as JSON.")
@_verbose
def compare(old: str, new: str, *, limit: int, as_json: bool) -> None:
    """Show what two outputs differ in, and why.

    Settings, stages taken over, drops by reason, rows, positives and negatives that changed, how hard negatives are;
    and which negatives moved because of select's settings, which because of the encoder or other inputs.
    """
    from oreline.reports.compare import compare_report

    _print_report(compare_report(old, new, limit=limit, as_json=as_json))


@oreline.command()
@click.argument("output", type=click.Path())
@click.option("--to", "form", required=True, metavar="FORMAT", help="sentence-transformers or jsonl.")
@_verbose
def export(output: str, form: str) -> None:
    """Write OUTPUT's triples as another trainer's files."""
    from oreline.exporters.again import export_again, paths_of

    for path in paths_of(output, export_again(output, form), form):
        click.echo(f"wrote {path}")


@oreline.command()
@_verbose
def doctor() -> None:
    """Show what is installed and what is missing.

    Versions, extras, GPU, which keys are present (never the keys), runner and disk.
    """
    from oreline.reports.doctor import doctor as look
    from oreline.reports.doctor import doctor_table

    _print_report([doctor_table(look())])


@oreline.command(
    epilog="""\b
Examples:
  oreline completion bash >> ~/.bashrc
  oreline completion zsh  >> ~/.zshrc
  oreline completion fish > ~/.config/fish/completions/oreline.fish
"""
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise CallError(f"click knows no completion for {shell}")
    click.echo(kind(oreline, {}, "oreline", "_ORELINE_COMPLETE").source())


def _print_report(report: Iterable["RenderableType"]) -> None:
    from rich.console import Console

    from oreline.reports.plain import print_report

    # Into a pipe or a file, a report is wide enough for its tables to stay readable.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    print_report(report, Console(width=width))
