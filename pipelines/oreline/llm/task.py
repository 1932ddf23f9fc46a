"""What a stage asks a model: how its requests are rendered, and what is made of the answers. No Beam here."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from oreline.job import Job, StageWriter
from oreline.llm.requests import Answered, Request


class Task(Protocol):
    """The work of one LLM stage, block by block. A task is picklable: a frozen dataclass of plain values.

    A block is a reference (bytes) to some units of the stage, distinct from all other blocks. `stages.asking.Ask`
    renders every block, fills the journal, and then finishes every block, one without requests too. `render` and
    `finish` may run twice, on different machines; they must depend on block and job alone.
    """

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests of a block (see `llm.requests.request_for`)."""
        ...

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer's text follows its schema; if not, it may be asked for again."""
        ...

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        """Writes what a block gives: rows, fates, rejects.

        `answers` holds one entry per request of the block, in the order in which `render` yielded them. The books of
        requests, answers and answer rejects are kept by `Ask`; those of the stage's units are the task's.
        """
        ...
