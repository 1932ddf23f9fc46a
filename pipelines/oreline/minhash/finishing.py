"""Finishing: the steps that write documents, pairs and signatures, and report on them. No Beam here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from oreline.filters.pairs import collapse
from oreline.ids import bucket_of
from oreline.job import Job, StageWriter
from oreline.minhash.clusters import DECISIONS, MOVES
from oreline.minhash.groups import groups_apart
from oreline.minhash.parameters import Parameters
from oreline.minhash.remembered import exact_against
from oreline.minhash.rewriting import Screening, moved_pairs, rewrite_documents, with_similarities
from oreline.records import Pair
from oreline.shuffle import Reference, Scatter, gather
from oreline.tables.reading import RowGroup
from oreline.tables.schema import from_arrow

REPORT, DROPPED = -1, 0
"""Keys of what comes of documents: reports, and references to ids that were dropped besides duplicates."""

_PAIRS_OF_A_BUCKET = 500_000


@dataclass(frozen=True)
class Finishing:
    """The last steps of one job."""

    job: Job
    parameters: Parameters

    @cached_property
    def estimating(self) -> bool:
        """Whether similarities to known documents are estimates, as their shingles are not kept."""
        return not exact_against(self.job.recipe)

    def documents(self, references: Iterable[bytes], screening: Screening | None) -> Iterator[Reference]:
        """From a group and the decisions about it to a report; a stopped one if the user stopped the run.

        And references to the ids that `screening` drops.
        """
        group, rest = groups_apart(references)
        if group is None or group.known:
            return
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            # Decisions may then be incomplete.
            report = writer.close(stopped="interrupted", message="dedup was interrupted; run again to repeat it")
            yield REPORT, report.encode()
            return
        estimating = self.estimating
        found = gather(rest)
        decisions = found.get("decisions", DECISIONS.empty_table())
        told = with_similarities(decisions, found.get("asked"), group, self.parameters, estimating=estimating)
        documents = self.job.read(group.reference)
        dropped = rewrite_documents(
            documents,
            told,
            self.parameters,
            writer,
            sketches=found.get("sketches"),
            estimated=estimating,
            screening=screening,
        )
        for name, value in self.parameters.facts().items():
            writer.fact(name, value)
        if self.job.recipe.dedup.against:
            writer.fact("similarity_to_known", "estimated" if estimating else "exact")
        scatter = Scatter(self.job, "dropped")
        yield from scatter.write([DROPPED] * len(dropped), pa.table({"doc_id": pa.array(sorted(dropped), pa.string())}))
        yield from scatter.close()
        yield REPORT, writer.close().encode()

    def moved(self, reference: RowGroup, moves: Iterable[bytes]) -> Iterator[Reference]:
        """From a row group of pairs and all moves to references to the pairs by query, each at its kept document."""
        pairs = self.job.read(reference)
        found = gather(moves).get("moves", MOVES.empty_table())
        moved = moved_pairs(pairs, found)
        buckets = 1 + sum(part.rows for part in self.job.parts("pairs")) // _PAIRS_OF_A_BUCKET
        scatter = Scatter(self.job, "pairs")
        yield from scatter.write([bucket_of(query, buckets) for query in moved.column("query_id").to_pylist()], moved)
        yield from scatter.close()

    def pairs(self, references: Iterable[bytes], dropped: Iterable[bytes]) -> bytes:
        """From all pairs of some queries to a report: one pair per query and document, none of `dropped` documents."""
        table: pa.Table = gather(references)["pairs"]
        before = table.num_rows
        for reference in dropped:
            ids = gather([reference])["dropped"].column("doc_id").combine_chunks()
            table = table.filter(pc.invert(pc.is_in(table.column("doc_id"), ids)))
        pairs = from_arrow(Pair, table)
        kept = collapse(pairs)
        writer = StageWriter(self.job)
        writer.rows("pairs", kept)
        if before > len(pairs):
            writer.count("dropped_pairs", before - len(pairs))
        writer.count("collapsed_pairs", len(pairs) - len(kept))
        return writer.close().encode()
