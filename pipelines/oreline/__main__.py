"""`python -m oreline`: the same as the command `oreline`."""

from oreline.cli import entry

entry()
