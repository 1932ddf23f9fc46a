"""Several rounds of calls about the same blocks, each of which reads the answers of those before it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from oreline.job import Job, Report
from oreline.llm.task import Task
from oreline.recipe.settings import Llm
from oreline.stages.asking import Ask


@dataclass(frozen=True)
class Round:
    """One round: who is asked, and what. All but the last leave their answers by `llm.parking.park` in `finish`."""

    llm: Llm
    task: Task


@dataclass(eq=False)
class Rounds(beam.PTransform):
    """Asks round after round: from blocks, all distinct, to encoded reports.

    A round starts when the one before has finished every block, so that the `render` of its task finds all answers
    where `finish` parked them (`llm.parking`). After a stop or a failure no further round starts. The journal holds the
    answers of all rounds: a run that goes on renders each round again and pays nothing twice.
    """

    job: Job
    rounds: Sequence[Round]

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, blocks: "beam.PCollection[bytes]") -> "beam.PCollection[bytes]":
        """Wires one `Ask` per round."""
        reports = []
        going = blocks
        for number, each in enumerate(self.rounds, start=1):
            asked = going | f"Ask{number}" >> Ask(self.job, each.llm, each.task)
            reports.append(asked)
            if number < len(self.rounds):
                ended = asked | f"Ended{number}" >> beam.FlatMap(ended_early).with_output_types(bytes)
                going = going | f"GoOn{number}" >> beam.FlatMap(goes_on, beam.pvalue.AsIter(ended)).with_output_types(
                    bytes
                )
        return reports | "GatherRounds" >> beam.Flatten()


def goes_on(block: bytes, ended: Iterable[bytes]) -> Iterator[bytes]:
    """Yields a block for the next round, unless a report says that this one ended early."""
    if not any(True for _ in ended):
        yield block


def ended_early(report: bytes) -> Iterator[bytes]:
    """Yields a report that tells of a stop or a failure, nothing for another."""
    decoded = Report.decode(report)
    if decoded.stopped or decoded.failure:
        yield report
