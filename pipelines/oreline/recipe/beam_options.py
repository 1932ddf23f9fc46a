"""Checks Beam options before a pipeline is built: Beam itself only logs those that it does not know."""

import argparse
import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import cast

from oreline.recipe import words

_OURS = {
    "--runner": "the recipe says where it runs: --set beam.runner=local",
    "--direct_num_workers": "the recipe says on how many workers: --set beam.workers=4",
    "--direct_running_mode": "it follows from the number of workers: --set beam.workers=4",
}


def check_beam_options(arguments: Sequence[str]) -> list[str]:
    """Returns one line for each argument that is no Beam option, has a wrong value, or is set by the recipe.

    `arguments` are as on a command line: `--name=value`, `--name value` or `--flag`.
    """
    parser = _parser()
    known = sorted(name for action in parser._actions for name in action.option_strings if name.startswith("--"))  # noqa: SLF001 - argparse has no other list of its options
    problems = [
        f"Beam option {name}: {_OURS[name]}" for name in (each.partition("=")[0] for each in arguments) if name in _OURS
    ]
    told = io.StringIO()
    try:
        with redirect_stderr(told):
            _, unknown = parser.parse_known_args(list(arguments))
    except SystemExit:
        message = told.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        return [*problems, f"Beam options: {message}"]
    for each in unknown:
        if each.startswith("-"):
            name = each.partition("=")[0]
            problems.append(f"Beam option {name}: there is no such option{_near(name, known)}")
        elif not problems:
            problems.append(f"Beam option {each}: an option begins with --; found a bare word")
    return problems


def _near(name: str, known: Sequence[str]) -> str:
    close = words.nearest(name, known)
    return f'; did you mean "{close}"?' if close else "; the list is in the documentation of Beam's pipeline options"


def _parser() -> argparse.ArgumentParser:
    """Returns a parser with the options of every option class that Beam has loaded, as Beam itself makes it."""
    from apache_beam.options import pipeline_options

    parser = cast("argparse.ArgumentParser", pipeline_options._BeamArgumentParser(allow_abbrev=False, add_help=False))  # noqa: SLF001 - Beam gives no public list of its options
    for options in {str(each): each for each in pipeline_options.PipelineOptions.__subclasses__()}.values():
        options._add_argparse_args(parser)  # noqa: SLF001 - as above
    return parser
