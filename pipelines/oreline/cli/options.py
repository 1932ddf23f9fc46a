"""What commands share: the options that several have, and how a report is printed."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from oreline.stages.catalog import BY_NAME

if TYPE_CHECKING:
    from rich.console import RenderableType

Command = TypeVar("Command", bound=Callable[..., None])

_PIPE_WIDTH = 110
_STAGE = click.Choice(tuple(BY_NAME))


@dataclass
class Session:
    """What the top level must know of a command when it fails: whether to show tracebacks, and where the log is."""

    verbose: bool = False
    log: str | None = None


def verbose(command: Command) -> Command:
    """Adds --verbose, which shows tracebacks."""

    def remember(context: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's signature
        session = context.ensure_object(Session)
        session.verbose = session.verbose or value
        return value

    help_text = "Show tracebacks and the log on standard error."
    option = click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=remember, help=help_text)
    return option(command)


def recipe_options(command: Command) -> Command:
    """Adds what `plan` and `run` have in common: the recipe, its overrides, and which stages are meant."""
    for decorate in (
        verbose,
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


def print_in_terminal(report: Iterable["RenderableType"]) -> None:
    """Prints a report on standard output; into a pipe or a file wide enough for its tables to stay readable."""
    from rich.console import Console

    from oreline.reports.plain import print_report

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    print_report(report, Console(width=width))
