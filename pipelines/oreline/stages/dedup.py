"""dedup: drops duplicate documents before anything is paid for, and moves pairs to equal texts.

buckets by hash range -> star edges -> verified where the documents are -> clusters -> decisions -> tables rewritten.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.decontamination.stage import contents_of, screen_of
from oreline.errors import StageFailed
from oreline.job import Job, StageWriter
from oreline.minhash.finishing import REPORT, Finishing
from oreline.minhash.parameters import Parameters
from oreline.minhash.steps import Route, Steps
from oreline.shuffle import Reference
from oreline.stages.benchmarks import Benchmarks, DroppedDocuments
from oreline.stages.components import Components
from oreline.stages.routing import Along, Keyed, Step, without_key
from oreline.stages.wiring import RowGroups, decode_row_group


@dataclass(frozen=True)
class Listing:
    """Lists the groups that the stage works on; runs on a worker, as a graph holds no work list."""

    steps: Steps

    def __call__(self, _: bytes) -> Iterator[Reference]:
        """Yields each group under its ordinal."""
        yield from self.steps.listed()


@dataclass(frozen=True)
class Finish:
    """The steps that write tables."""

    finishing: Finishing

    def documents(self, keyed: Keyed, benchmarks: Iterable[bytes]) -> Iterator[Reference]:
        """Yields the report on a group of documents, and references to those dropped for a benchmark."""
        try:
            screen = screen_of(self.finishing.job, benchmarks)
        except StageFailed as error:
            report = StageWriter(self.finishing.job).close(failure="benchmark", message=str(error))
            yield REPORT, report.encode()
            return
        yield from self.finishing.documents(keyed[1], screen.documents if screen else None)

    def move(self, reference: bytes, moves: Iterable[bytes]) -> Iterator[Reference]:
        """From a row group of pairs to references to them by query; a method by name, as it has a side input."""
        yield from self.finishing.moved(decode_row_group(reference), moves)

    def pairs(self, keyed: Keyed, dropped: Iterable[bytes]) -> bytes:
        """Returns the report on all pairs of some queries."""
        return self.finishing.pairs(keyed[1], dropped)


def reports(reference: Reference) -> Iterator[bytes]:
    """Yields a report, or nothing for any other reference."""
    if reference[0] == REPORT:
        yield reference[1]


@dataclass(eq=False)
class Dedup(beam.PTransform):
    """From the root to encoded reports; raises RecipeError for parameters that cannot work."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage."""
        parameters = Parameters.of(self.job.recipe.dedup)
        finish = Finish(Finishing(self.job, parameters))
        groups = (
            root
            | "Start" >> beam.Impulse()
            | "ListGroups" >> beam.FlatMap(Listing(Steps(self.job, parameters))).with_output_types(tuple[int, bytes])
        )
        steps = Steps(self.job, parameters)
        signed = self._step("Sign", steps.signed, groups)
        decided, asked = self._decided(groups, signed, steps)
        index = beam.pvalue.AsIter(root | "Benchmarks" >> Benchmarks(self.job, contents_of(self.job)))
        rewritten = self._grouped(
            "Documents",
            groups,
            self._along("Remembered", signed, Route.REWRITE),
            self._along("Rewritten", decided, Route.REWRITE),
            asked,
        ) | "RewriteDocuments" >> beam.FlatMap(finish.documents, index).with_output_types(tuple[int, bytes])
        documents = rewritten | "Documents" >> beam.FlatMap(reports).with_output_types(bytes)
        dropped = beam.pvalue.AsIter(rewritten | "Dropped" >> DroppedDocuments(self.job))
        moves = self._along("Moves", decided, Route.MOVE) | "WithoutKey" >> beam.Map(without_key).with_output_types(
            bytes
        )
        pairs = (
            root
            | "Pairs" >> RowGroups(self.job, ("pairs",))
            | "MovePairs" >> beam.FlatMap(finish.move, beam.pvalue.AsIter(moves)).with_output_types(tuple[int, bytes])
            | "GroupPairs" >> beam.GroupByKey()
            | "CollapsePairs" >> beam.Map(finish.pairs, dropped).with_output_types(bytes)
        )
        return (documents, pairs) | "Reports" >> beam.Flatten()

    def _decided(
        self, groups: "beam.PCollection[Reference]", signed: "beam.PCollection[Reference]", steps: Steps
    ) -> tuple["beam.PCollection[Reference]", "beam.PCollection[Reference]"]:
        """From groups and their buckets to decisions with their routes, and to what dropped ones are compared with."""
        edges = self._step("FindEdges", steps.edges, self._along("Buckets", signed, Route.JOIN))
        joining = [self._along("Joined", edges, Route.JOIN)]
        if steps.parameters.verify != "none":
            halves = self._step("CompareFirst", steps.first_ends, groups, self._along("Near", edges, Route.COMPARE))
            reached = self._step("CompareSecond", steps.second_ends, groups, halves)
            joining.append(self._along("Reached", reached, Route.JOIN))
        distributed = self.job.recipe.dedup.components == "distributed"
        labels = joining | "Edges" >> beam.Flatten() | "Components" >> Components(steps, distributed)
        described = self._step(
            "Describe",
            steps.described,
            groups,
            self._along("Classes", edges, Route.DESCRIBE),
            self._along("Labels", labels, Route.DESCRIBE),
        )
        decided = self._step("Decide", steps.decided, described)
        return decided, self._step("AskKeepers", steps.keepers, groups, self._along("Asked", decided, Route.COMPARE))

    def _step(
        self,
        name: str,
        work: Callable[[int, Iterable[bytes]], Iterator[Reference]],
        *inputs: "beam.PCollection[Reference]",
    ) -> "beam.PCollection[Reference]":
        return self._grouped(name, *inputs) | name >> beam.FlatMap(Step(work)).with_output_types(tuple[int, bytes])

    @staticmethod
    def _grouped(name: str, *inputs: "beam.PCollection[Reference]") -> "beam.PCollection[Keyed]":
        return inputs | f"{name}Inputs" >> beam.Flatten() | f"{name}Group" >> beam.GroupByKey()

    @staticmethod
    def _along(name: str, references: "beam.PCollection[Reference]", route: Route) -> "beam.PCollection[Reference]":
        return references | name >> beam.FlatMap(Along(route)).with_output_types(tuple[int, bytes])
