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

    numba compiles again when the function's own file changes, not when that of one it calls does: after such an edit
    delete the kept files (`*.nbi`).
    """
    return _compiled(function, frozenset())


def summing(function: Callable[P, R]) -> Callable[P, R]:
    """Returns a compiled function whose sums may take any order, so that the compiler can fill vector registers."""
    return _compiled(function, frozenset({"reassoc", "contract"}))


def _compiled(function: Callable[P, R], fastmath: frozenset[str]) -> Callable[P, R]:
    try:
        return cast("Callable[P, R]", njit(function, cache=True, nogil=True, fastmath=set(fastmath)))
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return cast("Callable[P, R]", njit(function, nogil=True, fastmath=set(fastmath)))
