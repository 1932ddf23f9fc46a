"""Compiling: numba with its compilations kept on disk wherever a folder can be written."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Returns a function compiled at its first call for each set of argument types.

    The compilation is kept beside the module or, where that folder is read-only, in the user's cache folder. Where
    neither can be written (a container without a home), every process compiles for itself: slower, never an error.
    """
    try:
        return cast("Callable[P, R]", njit(function, cache=True, nogil=True))
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return cast("Callable[P, R]", njit(function, nogil=True))
