"""filter: drops noisy and repeated queries; free rules first, then equal and near-equal ones, then the LLM rater."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.filters.rater import RaterTask, active_rater
from oreline.filters.steps import BLOCK, REPORT, Steps
from oreline.job import Job
from oreline.shuffle import Reference
from oreline.stages.wiring import RowGroups, decode_row_group


@dataclass(frozen=True)
class Screen:
    """From a row group of queries to references by text, and a report."""

    steps: Steps

    def __call__(self, reference: bytes) -> Iterator[Reference]:
        """Yields both."""
        yield from self.steps.screen(decode_row_group(reference))


@dataclass(frozen=True)
class MergeEqual:
    """From a hash range of texts to references by positives, and a report."""

    steps: Steps

    def __call__(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields both."""
        yield from self.steps.merge(keyed[1])


@dataclass(frozen=True)
class ThinOut:
    """From a hash range of positives to a report, and blocks for the rater."""

    steps: Steps

    def __call__(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields both."""
        yield from self.steps.thin(keyed[1])


@dataclass(frozen=True)
class Only:
    """Yields what stands under one key, such as the reports among a step's references."""

    key: int

    def __call__(self, keyed: Reference) -> Iterator[bytes]:
        """Yields the value, or nothing."""
        if keyed[0] == self.key:
            yield keyed[1]


def goes_on(keyed: Reference) -> Iterator[Reference]:
    """Yields what the next step groups by hash range, or nothing."""
    if keyed[0] >= 0:
        yield keyed


@dataclass(eq=False)
class Filter(beam.PTransform):
    """From the root to encoded reports."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage; without a rater it ends after the near-duplicates."""
        steps = Steps(self.job)
        screened = (
            root
            | "Queries" >> RowGroups(self.job, ("queries",))
            | "Screen" >> beam.FlatMap(Screen(steps)).with_output_types(tuple[int, bytes])
        )
        merged = (
            screened
            | "KeepScreened" >> beam.FlatMap(goes_on).with_output_types(tuple[int, bytes])
            | "GroupByText" >> beam.GroupByKey()
            | "MergeEqual" >> beam.FlatMap(MergeEqual(steps)).with_output_types(tuple[int, bytes])
        )
        thinned = (
            merged
            | "KeepMerged" >> beam.FlatMap(goes_on).with_output_types(tuple[int, bytes])
            | "GroupByPositives" >> beam.GroupByKey()
            | "ThinOut" >> beam.FlatMap(ThinOut(steps)).with_output_types(tuple[int, bytes])
        )
        reports = [
            each | f"Reports{name}" >> beam.FlatMap(Only(REPORT)).with_output_types(bytes)
            for name, each in (("Screened", screened), ("Merged", merged), ("Thinned", thinned))
        ]
        llm = self.job.recipe.llm_of("filter")
        if active_rater(self.job.recipe) is not None and llm is not None:
            from oreline.stages.asking import Ask

            blocks = thinned | "Blocks" >> beam.FlatMap(Only(BLOCK)).with_output_types(bytes)
            reports.append(blocks | "Rate" >> Ask(self.job, llm, RaterTask()))
        return reports | "Reports" >> beam.Flatten()
