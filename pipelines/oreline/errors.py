"""The exceptions of oreline.

OrelineError
├── CallError          exit 2: the recipe or the call is wrong; nothing was spent
│   ├── RecipeError    a recipe that cannot be read or does not say something that can run
│   ├── PreflightError all that stands in the way of a run, found before its first stage
│   └── LockedError    another run holds the output or the cache
├── StageFailed        exit 3: a stage cannot go on, or its books do not balance
│   ├── SourceError    a source that cannot be read at all
│   └── NoTriples      everything ran and nothing came out
├── BrokenTable        exit 3: a manifest or a part on disk is not what was written
├── Stopped            exit 4: a budget or a quota; resumable
└── Interrupted        exit 130: Ctrl-C; resumable
"""

from collections.abc import Sequence


class OrelineError(Exception):
    """Any expected failure: its text is what the user reads, `exit_code` what the shell sees."""

    exit_code = 3


class CallError(OrelineError):
    """The recipe or the command line asks for something that cannot be done."""

    exit_code = 2


class RecipeError(CallError):
    """A recipe is wrong; the message holds one line per problem, each with its place."""


class PreflightError(CallError):
    """What would make a run fail, all of it, before anything was spent.

    `problems` holds one complete sentence per problem, remedy included.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        head = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{head}; nothing was run:", *(f"  - {line}" for line in problems)]))


class LockedError(CallError):
    """Another process holds a lock; the message names host and process id."""


class StageFailed(OrelineError):
    """A stage cannot finish; what earlier stages wrote is untouched."""


class SourceError(StageFailed):
    """A source cannot be read at all (single bad rows are rejected instead)."""


class NoTriples(StageFailed):
    """All stages ran, and no triple was left; the message names the largest drop reasons."""


class BrokenTable(OrelineError):
    """A manifest or part on disk is missing, truncated or edited."""


class Stopped(OrelineError):
    """A run reached its budget or a quota; everything paid for is kept."""

    exit_code = 4


class Interrupted(OrelineError):
    """The user stopped the run; everything finished is kept."""

    exit_code = 130
