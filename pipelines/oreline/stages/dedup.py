"""dedup: drops duplicate documents before anything is paid for, and moves pairs to equal texts.

buckets by hash range -> star edges -> verified where the documents are -> clusters -> decisions -> tables rewritten.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.decontamination.stage import contents_of
from oreline.job import Job
from oreline.minhash.finishing import Finishing
from oreline.minhash.parameters import Parameters
from oreline.minhash.steps import Route, Steps
from oreline.shuffle import Reference
from oreline.stages.benchmarks import Benchmarks, DroppedDocuments, SignScreened
from oreline.stages.components import Components
from oreline.stages.routing import Along, Keyed, Step, without_key
from oreline.stages.threads import Threaded, threads_of
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

    def documents(self, keyed: Keyed) -> Iterator[bytes]:
        """Yields the report on a group of documents."""
        yield from self.finishing.documents(keyed[1])

    def move(self, reference: bytes, moves: Iterable[Reference]) -> Iterator[Reference]:
        """From a row group of pairs to references to them by query; a method by name, as it has a side input."""
        yield from self.finishing.moved(decode_row_group(reference), (each for _, each in moves))

    def pairs(self, keyed: Keyed, dropped: Iterable[bytes]) -> bytes:
        """Returns the report on all pairs of some queries."""
        return self.finishing.pairs(keyed[1], dropped)


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
        screening = bool(self.job.recipe.decontaminate.against)
        signed = self._signed(root, groups, steps) if screening else self._step("Sign", steps.signed, groups)
        decided, asked = self._decided(groups, signed, steps)
        documents = self._grouped(
            "Documents",
            groups,
            self._along("Remembered", signed, Route.REWRITE),
            self._along("Rewritten", decided, Route.REWRITE),
            asked,
        ) | "RewriteDocuments" >> beam.ParDo(Threaded(finish.documents, threads_of(self.job))).with_output_types(bytes)
        moved = self._along("Moves", decided, Route.MOVE)
        grouped = (
            root
            | "Pairs" >> RowGroups(self.job, ("pairs",))
            | "MovePairs" >> beam.FlatMap(finish.move, beam.pvalue.AsIter(moved)).with_output_types(tuple[int, bytes])
            | "GroupPairs" >> beam.GroupByKey()
        )
        if not screening:
            pairs = grouped | "CollapsePairs" >> beam.Map(finish.pairs, ()).with_output_types(bytes)
            return (documents, pairs) | "Reports" >> beam.Flatten()
        dropped = self._along("DroppedIds", signed, Route.DROP) | "Dropped" >> DroppedDocuments(self.job)
        pairs = grouped | "CollapsePairs" >> beam.Map(finish.pairs, beam.pvalue.AsIter(dropped)).with_output_types(
            bytes
        )
        return (documents, pairs, self._plain("Screened", signed, Route.REPORT)) | "Reports" >> beam.Flatten()

    def _signed(
        self, root: beam.Pipeline, groups: "beam.PCollection[Reference]", steps: Steps
    ) -> "beam.PCollection[Reference]":
        """From groups to their buckets, but for what is dropped for a benchmark."""
        index = beam.pvalue.AsIter(root | "Benchmarks" >> Benchmarks(self.job, contents_of(self.job)))
        signing = beam.ParDo(Threaded(SignScreened(steps).sign, threads_of(self.job)), index)
        return self._grouped("Sign", groups) | "Sign" >> signing.with_output_types(tuple[int, bytes])

    def _decided(
        self, groups: "beam.PCollection[Reference]", signed: "beam.PCollection[Reference]", steps: Steps
    ) -> tuple["beam.PCollection[Reference]", "beam.PCollection[Reference]"]:
        """From groups and their buckets to decisions with their routes, and to what dropped ones are compared with."""
        edges = self._step("FindEdges", steps.edges, self._along("Buckets", signed, Route.JOIN))
        joining = [self._along("Joined", edges, Route.JOIN)]
        if steps.parameters.verify != "none":
            halves = self._step("CompareFirst", steps.first_ends, groups, self._along("Near", edges, Route.COMPARE))
            reached = self._step("CompareSecond", steps.second_ends, groups, halves)
            joining.append(reached)
        distributed = self.job.recipe.dedup.components == "distributed"
        labels = joining | "Edges" >> beam.Flatten() | "Components" >> Components(steps, distributed)
        described = self._step(
            "Describe",
            steps.described,
            groups,
            self._along("Classes", edges, Route.DESCRIBE),
            labels,
        )
        decided = self._step("Decide", steps.decided, described)
        return decided, self._step("AskKeepers", steps.keepers, groups, self._along("Asked", decided, Route.COMPARE))

    def _step(
        self,
        name: str,
        work: Callable[[int, Iterable[bytes]], Iterator[Reference]],
        *inputs: "beam.PCollection[Reference]",
    ) -> "beam.PCollection[Reference]":
        step = beam.ParDo(Threaded(Step(work), threads_of(self.job))).with_output_types(tuple[int, bytes])
        return self._grouped(name, *inputs) | name >> step

    @staticmethod
    def _grouped(name: str, *inputs: "beam.PCollection[Reference]") -> "beam.PCollection[Keyed]":
        return inputs | f"{name}Inputs" >> beam.Flatten() | f"{name}Group" >> beam.GroupByKey()

    @classmethod
    def _plain(cls, name: str, references: "beam.PCollection[Reference]", route: Route) -> "beam.PCollection[bytes]":
        """The references of one route, without keys."""
        taken = cls._along(name, references, route)
        return taken | f"{name}Alone" >> beam.Map(without_key).with_output_types(bytes)

    @staticmethod
    def _along(name: str, references: "beam.PCollection[Reference]", route: Route) -> "beam.PCollection[Reference]":
        return references | name >> beam.FlatMap(Along(route)).with_output_types(tuple[int, bytes])
