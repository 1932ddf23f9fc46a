"""The companions of documents, found before a writer that shows them is asked; see `writing.companions`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import apache_beam as beam

from oreline.job import Job, Report, StageWriter
from oreline.llm.rows import block_key
from oreline.shuffle import Reference
from oreline.writing import companions
from oreline.writing.plan import Plan, plan_of

_BLOCK = b"block "
Grouped = tuple[int, Iterable[bytes]]


@dataclass(frozen=True)
class Steps:
    """The steps between the regroupings, as Beam calls them; after Ctrl-C they give nothing more."""

    job: Job

    @cached_property
    def plan(self) -> Plan:
        """Which documents are written for, read from the input once per worker."""
        return plan_of(self.job)

    def members(self, block: bytes) -> Iterator[Reference]:
        """From a block of documents to its words and parents."""
        if not self.job.stop_requested():
            settings = self.job.recipe.synthesize.multi_hop
            yield from companions.members(self.job, settings, self.plan, block)

    def ties(self, group: Grouped) -> Iterator[Reference]:
        """From a range of words and parents to ties."""
        if not self.job.stop_requested():
            yield from companions.ties(self.job, self.job.recipe.synthesize.multi_hop, group[1])

    def choices(self, group: Grouped) -> Iterator[Reference]:
        """From the ties of a block to its choices."""
        if not self.job.stop_requested():
            yield from companions.choices(self.job, self.job.recipe.synthesize.multi_hop, group[1])

    def texts(self, group: Grouped) -> Iterator[Reference]:
        """From choices and the block that holds the chosen documents to these."""
        found = sorted(group[1])
        blocks = [each for each in found if each.startswith(_BLOCK)]
        references = [each for each in found if not each.startswith(_BLOCK)]
        if not self.job.stop_requested():
            for block in blocks:
                yield from companions.texts(self.job, block.removeprefix(_BLOCK), references)

    def park(self, group: Grouped) -> Iterator[bytes]:
        """Keeps the companions of a block; yields its report."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            yield writer.close(stopped="interrupted", message="stopped while companions were looked for").encode()
            return
        companions.park_companions(self.job, *group)
        yield writer.close().encode()


def goes_on(block: bytes, reports: Iterable[bytes]) -> Iterator[bytes]:
    """Yields a block once all companions are parked, unless the stage was stopped meanwhile."""
    if not any(Report.decode(each).stopped for each in reports):
        yield block


@dataclass(eq=False)
class AfterCompanions(beam.PTransform):
    """Lets blocks pass when every companion is parked."""

    found: "beam.PCollection[bytes]"

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, blocks: "beam.PCollection[bytes]") -> "beam.PCollection[bytes]":
        """Wires the wait: a side input is read when it is whole."""
        return blocks | "GoOn" >> beam.FlatMap(goes_on, beam.pvalue.AsIter(self.found)).with_output_types(bytes)


def with_its_key(block: bytes) -> tuple[int, bytes]:
    """Returns a block under its key, marked as what it is."""
    return block_key(block), _BLOCK + block


@dataclass(eq=False)
class FindCompanions(beam.PTransform):
    """Parks the companions of every block's documents: from blocks of documents to encoded reports."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, blocks: "beam.PCollection[bytes]") -> "beam.PCollection[bytes]":
        """Wires the regroupings; only references pass between them."""
        steps = Steps(self.job)
        reference = tuple[int, bytes]
        chosen = (
            blocks
            | "Members" >> beam.FlatMap(steps.members).with_output_types(reference)
            | "GroupMembers" >> beam.GroupByKey()
            | "Ties" >> beam.FlatMap(steps.ties).with_output_types(reference)
            | "GroupTies" >> beam.GroupByKey()
            | "Choices" >> beam.FlatMap(steps.choices).with_output_types(reference)
        )
        places = blocks | "Places" >> beam.Map(with_its_key).with_output_types(reference)
        return (
            (chosen, places)
            | "ChoicesAndPlaces" >> beam.Flatten()
            | "GroupChoices" >> beam.GroupByKey()
            | "Texts" >> beam.FlatMap(steps.texts).with_output_types(reference)
            | "GroupTexts" >> beam.GroupByKey()
            | "Park" >> beam.FlatMap(steps.park).with_output_types(bytes)
        )
