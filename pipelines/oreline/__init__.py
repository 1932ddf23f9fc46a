"""Turns a corpus into training data for embedding models.

Public: `oreline.run(recipe)` runs a recipe; `oreline.read(path)` reads a table that a run wrote.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oreline.running import run as run
    from oreline.tables.reading import read as read

__version__ = "0.1.0"
__all__ = ["__version__", "read", "run"]


def __getattr__(name: str) -> object:
    """Loads the two public functions on first use, so that `oreline --help` imports no Beam."""
    if name == "run":
        from oreline.running import run

        return run
    if name == "read":
        from oreline.tables.reading import read

        return read
    raise AttributeError(f"module 'oreline' has no attribute {name!r}")
