"""dedup: drops duplicate documents before anything is paid for, and moves pairs to equal texts.

signatures by row group -> buckets shuffled by hash range -> clusters on one machine -> both tables rewritten.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from oreline.filters.pairs import collapse
from oreline.ids import bucket_of
from oreline.job import Job, StageWriter
from oreline.minhash.exchange import Exchange, decisions_about
from oreline.minhash.parameters import Parameters
from oreline.minhash.rewriting import moved_pairs, rewrite_documents
from oreline.records import Pair
from oreline.shuffle import Reference, Scatter, gather
from oreline.stages.wiring import RowGroups, decode_row_group
from oreline.tables.schema import from_arrow

_PAIRS_OF_A_BUCKET = 500_000


@dataclass(frozen=True)
class Sign:
    """From a row group of documents to references to its nodes and buckets."""

    exchange: Exchange

    def __call__(self, reference: bytes) -> Iterator[Reference]:
        """Yields the references."""
        yield from self.exchange.signed(decode_row_group(reference))


@dataclass(frozen=True)
class FindCandidates:
    """From a range of buckets to references to those that several documents share."""

    exchange: Exchange

    def __call__(self, keyed: tuple[int, Iterable[bytes]]) -> Iterator[Reference]:
        """Yields the references under one key: clusters are made in one place."""
        for reference in self.exchange.candidates(*keyed):
            yield 0, reference


@dataclass(frozen=True)
class Cluster:
    """From all candidates to the path of the decisions."""

    exchange: Exchange

    def __call__(self, keyed: tuple[int, Iterable[bytes]]) -> bytes:
        """Returns the path."""
        return self.exchange.decisions(keyed[1]).encode()


@dataclass(frozen=True)
class RewriteDocuments:
    """From a row group of documents to a report: rows kept, duplicates dropped."""

    job: Job
    parameters: Parameters

    def __call__(self, reference: bytes, decisions: Iterable[bytes]) -> bytes:
        """Returns the report; a stopped one if the user stopped the run, as decisions may then be incomplete."""
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            return writer.close(stopped="interrupted", message="dedup was interrupted; run again to repeat it").encode()
        documents = self.job.read(decode_row_group(reference))
        about = decisions_about(decisions, documents.column("doc_id"))
        rewrite_documents(documents, about, self.parameters.ngram, writer)
        writer.fact("recall_at_threshold", round(self.parameters.recall(self.parameters.threshold), 6))
        return writer.close().encode()


@dataclass(frozen=True)
class MovePairs:
    """From a row group of pairs to references to them by query, each at its keeper."""

    job: Job

    def references(self, reference: bytes, decisions: Iterable[bytes]) -> Iterator[Reference]:
        """Yields the references; a method by name, as FlatMap gives a callable object no side input."""
        pairs = self.job.read(decode_row_group(reference))
        moved = moved_pairs(pairs, decisions_about(decisions, pairs.column("doc_id")))
        buckets = 1 + sum(part.rows for part in self.job.parts("pairs")) // _PAIRS_OF_A_BUCKET
        scatter = Scatter(self.job, "pairs")
        yield from scatter.write([bucket_of(query, buckets) for query in moved.column("query_id").to_pylist()], moved)
        yield from scatter.close()


@dataclass(frozen=True)
class CollapsePairs:
    """From all pairs of some queries to a report: one pair per query and document."""

    job: Job

    def __call__(self, keyed: tuple[int, Iterable[bytes]]) -> bytes:
        """Returns the report."""
        pairs = from_arrow(Pair, gather(keyed[1])["pairs"])
        kept = collapse(pairs)
        writer = StageWriter(self.job)
        writer.rows("pairs", kept)
        writer.count("collapsed_pairs", len(pairs) - len(kept))
        return writer.close().encode()


@dataclass(eq=False)
class Dedup(beam.PTransform):
    """From the root to encoded reports; raises RecipeError for parameters that cannot work."""

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, root: beam.Pipeline) -> "beam.PCollection[bytes]":
        """Wires the stage."""
        parameters = Parameters.of(self.job.recipe.dedup)
        exchange = Exchange(self.job, parameters)
        decisions = (
            root
            | "Documents" >> RowGroups(self.job, ("documents",))
            | "Sign" >> beam.FlatMap(Sign(exchange)).with_output_types(tuple[int, bytes])
            | "GroupBuckets" >> beam.GroupByKey()
            | "FindCandidates" >> beam.FlatMap(FindCandidates(exchange)).with_output_types(tuple[int, bytes])
            | "GatherCandidates" >> beam.GroupByKey()
            | "Cluster" >> beam.Map(Cluster(exchange)).with_output_types(bytes)
        )
        documents = (
            root
            | "DocumentsAgain" >> RowGroups(self.job, ("documents",))
            | "RewriteDocuments"
            >> beam.Map(RewriteDocuments(self.job, parameters), beam.pvalue.AsIter(decisions)).with_output_types(bytes)
        )
        pairs = (
            root
            | "Pairs" >> RowGroups(self.job, ("pairs",))
            | "MovePairs"
            >> beam.FlatMap(MovePairs(self.job).references, beam.pvalue.AsIter(decisions)).with_output_types(
                tuple[int, bytes]
            )
            | "GroupPairs" >> beam.GroupByKey()
            | "CollapsePairs" >> beam.Map(CollapsePairs(self.job)).with_output_types(bytes)
        )
        return (documents, pairs) | "Reports" >> beam.Flatten()
