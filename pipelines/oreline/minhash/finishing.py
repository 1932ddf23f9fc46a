"""Finishing: the steps that write documents, pairs and signatures, and report on them. No Beam here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from oreline.filters.pairs import collapse
from oreline.heartbeat import Heartbeat
from oreline.ids import bucket_of
from oreline.job import Job, StageWriter
from oreline.minhash.clusters import DECISIONS, MOVES
from oreline.minhash.comparing import Side
from oreline.minhash.groups import groups_apart
from oreline.minhash.parameters import Parameters
from oreline.minhash.remembered import exact_against
from oreline.minhash.rewriting import moved_pairs, rewrite_documents, with_similarities
from oreline.minhash.screened import NODES, NOT_SCREENED
from oreline.records import Pair
from oreline.shuffle import Reference, Scatter, gather, tag_of
from oreline.tables.reading import RowGroup
from oreline.tables.schema import from_arrow

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

    @cached_property
    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(self.job)

    def documents(self, references: Iterable[bytes]) -> Iterator[bytes]:
        """From a group and the decisions about it to a report; a stopped one if the user stopped the run."""
        group, rest = groups_apart(references)
        if group is None or group.known or NOT_SCREENED in rest:
            return
        writer = StageWriter(self.job)
        if self.job.stop_requested():
            # Decisions may then be incomplete.
            report = writer.close(stopped="interrupted", message="dedup was interrupted; run again to repeat it")
            yield report.encode()
            return
        found = gather(each for each in rest if tag_of(each) != "asked")
        decisions = found.get("decisions", DECISIONS.empty_table())
        # One block after the other: each edge brings its keeper's shingles along.
        asked = (gather([each])["asked"] for each in rest if tag_of(each) == "asked")
        told = with_similarities(decisions, asked, Side(group, self.parameters, self.estimating))
        documents = self.job.read(group.reference)
        rewrite_documents(
            documents,
            told,
            self.parameters,
            writer,
            sketches=found.get("sketches"),
            screened=found.get("screened", NODES.empty_table()),
        )
        for name, value in self.parameters.facts().items():
            writer.fact(name, value)
        if self.job.recipe.dedup.against:
            writer.fact("similarity_to_known", "estimated" if self.estimating else "exact")
        yield writer.close().encode()
        self._heartbeat.add(group.reference.rows)
        self._heartbeat.flush()

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
