"""Reads the prompts and schemas: packaged in a wheel, in place in a checkout."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_PACKAGED = files("oreline").joinpath("_data")
_ROOT: Traversable = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2]


def read(*parts: str) -> str:
    """Returns the text of a file under prompts/ or schemas/.

    Raises FileNotFoundError if there is no such file.
    """
    return _ROOT.joinpath(*parts).read_text(encoding="utf-8")


def folder(name: str) -> Traversable:
    """Returns the folder `prompts` or `schemas`, to list what is in it."""
    return _ROOT.joinpath(name)
