"""The command line: reads arguments, calls one function, prints what it returns. Beam and torch stay unloaded here.

Results go to standard output, messages to standard error. Exit codes: 0 done; 2 the recipe or the call is wrong;
3 a stage failed or no triple came out; 4 stopped at a budget or quota; 130 interrupted.
"""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from oreline import __version__
from oreline.cli import looking, making
from oreline.cli.options import Session, verbose
from oreline.errors import OrelineError

_UNEXPECTED = 3
_INTERRUPTED = 130
_GROUP_EPILOG = """\b
First steps:
  oreline init --demo && oreline run recipe.yaml     triples from Python's own documentation, no key needed
  oreline init docs/  && oreline run recipe.yaml     from a folder of your own

Paths in a recipe are relative to the folder in which oreline is called. Keys are read from GEMINI_API_KEY or
GOOGLE_API_KEY, never from a recipe.
"""


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


@click.group(epilog=_GROUP_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="oreline", message="%(prog)s %(version)s")
@verbose
def oreline() -> None:
    """Turn a corpus into training data for embedding models.

    Queries are written, noisy ones filtered, near-duplicates removed, hard negatives mined with the encoder that is
    being trained, and Parquet triples written.
    """


for _command in (
    making.init,
    making.plan,
    making.run,
    looking.show,
    looking.calibrate,
    looking.compare,
    making.export,
    looking.doctor,
    looking.completion,
):
    oreline.add_command(_command)
