"""The steps of mine that an approximate index needs: shards into groups, groups into indexes, a sample into recall."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import torch

from oreline import files
from oreline.encoders.devices import first_device, threads_of
from oreline.job import Job
from oreline.recipe.settings import ApproximateIndex
from oreline.search.approximate.group import GroupReference, by_miner, groups_of
from oreline.search.approximate.index import Vectors
from oreline.search.approximate.libraries import library_of
from oreline.search.approximate.measuring import Sampled, measured
from oreline.search.approximate.outcome import Outcome
from oreline.search.approximate.recall import draw, index_fact, is_drawn
from oreline.search.corpus import Corpus, ShardReference, missing_vectors, scope_of
from oreline.search.exact import UnfitVector
from oreline.search.further import MissingVectors
from oreline.search.questions import QUERY_COLUMNS, questions
from oreline.search.scores import Float16, Unfit, largest_norm
from oreline.search.steps import Mining
from oreline.shuffle import Scatter, gather
from oreline.stages.catalog import stage_workers
from oreline.stages.wiring import RowGroups, Spread, decode_row_group


class _Stopped(Exception):
    """The user pressed Ctrl-C while an index was built."""


def by_scope(shard: bytes) -> tuple[int, bytes]:
    """Returns a reference to a shard under a key of its scope; scopes that share one are told apart later."""
    scope = ShardReference.decode(shard).scope
    return int.from_bytes(hashlib.blake2b(scope.encode(), digest_size=7).digest(), "big"), shard


class GroupShards(beam.DoFn):
    """Says which shards of a scope share an index."""

    def __init__(self, job: Job, settings: ApproximateIndex) -> None:
        self._job = job
        self._settings = settings

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields a reference per group and dense miner; shards that could not be made are left to who reads them."""
        shards: defaultdict[str, list[str]] = defaultdict(list)
        for each in map(ShardReference.decode, element[1]):
            if each.failure is None:
                shards[each.scope].append(each.path)
        for scope, paths in sorted(shards.items()):
            for miner in self._job.recipe.encoders():
                for group in groups_of(scope, miner, paths, self._settings):
                    yield group.encode()


class BuildIndexes(beam.DoFn):
    """Builds the index of a group, once; all blocks of queries read it."""

    def __init__(self, job: Job, settings: ApproximateIndex) -> None:
        self._job = job
        self._settings = settings

    def process(self, element: bytes) -> Iterator[bytes]:
        """Yields the reference with its index; without one if its documents are few."""
        group = GroupReference.decode(element)
        if group.indexed:
            group = self._built(group)
        yield group.encode()

    def _built(self, group: GroupReference) -> GroupReference:
        library = library_of(self._settings, first_device(self._job.recipe.encoder))
        vectors = group.vectors()

        def blocks() -> Iterator[Float16]:
            for place, block in enumerate(vectors.blocks()):
                if self._job.stop_requested():
                    raise _Stopped
                try:
                    largest_norm(block)
                except Unfit as unfit:
                    raise UnfitVector("document", unfit.row, f"{unfit.problem}, in {group.paths[place]}") from unfit
                yield block

        path = self._job.scratch("index")
        try:
            index = library.build(Vectors(vectors.rows, vectors.dimension, blocks))
        except _Stopped:
            # Who mines finds the stop as well, and tells of it.
            return group
        except UnfitVector as unfit:
            return replace(group, failure=str(unfit))
        with files.open_write(path) as file:
            index.write(file)
        return replace(group, index=path)


class SampleQueries(beam.DoFn):
    """Draws the queries by which recall is measured."""

    def __init__(self, job: Job, settings: ApproximateIndex) -> None:
        self._job = job
        self._settings = settings

    def process(self, element: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields references to rows, all under one key."""
        rows = self._job.read(decode_row_group(element), QUERY_COLUMNS)
        total = sum(part.rows for part in self._job.parts("queries"))
        drawn = [is_drawn(each, self._settings.sample, total) for each in rows.column("query_id").to_pylist()]
        chosen = rows.filter(pa.array(drawn, pa.bool_()))
        scatter = Scatter(self._job, "queries")
        yield from scatter.write([0] * chosen.num_rows, chosen)
        yield from scatter.close()


class MeasureRecall(Mining):
    """Mines the sample by exact search and by the indexes, before any block is mined."""

    def __init__(self, job: Job, settings: ApproximateIndex) -> None:
        super().__init__(job)
        self._settings = settings

    def process(
        self, element: tuple[int, Iterable[bytes]], shards: Iterable[bytes], groups: Iterable[bytes]
    ) -> Iterator[bytes]:
        """Yields one outcome: how much each index looks at and what it finds, or why nothing can be mined."""
        recipe = self._job.recipe
        references = [ShardReference.decode(each) for each in shards]
        made = [GroupReference.decode(each) for each in groups]
        if any(each.failure is not None for each in references) or self._job.stop_requested():
            return
        broken = [each.failure for each in made if each.failure is not None]
        if broken:
            yield Outcome(failure=("unfit_vector", broken[0])).encode()
            return
        torch.set_num_threads(threads_of(recipe.encoder, stage_workers(recipe, self._job.stage)))
        rows = gather(element[1])["queries"].to_pylist()
        rows.sort(key=lambda row: (draw(row["query_id"]), row["query_id"]))
        sample = pa.Table.from_pylist(rows[: self._settings.sample])
        try:
            yield self._measured(sample, references, made).encode()
        except MissingVectors as missing:
            problem = missing_vectors(self._job, missing.store, missing.number)
            yield Outcome(failure=("missing_vectors", problem)).encode()
        except UnfitVector as unfit:
            yield Outcome(failure=("unfit_vector", str(unfit))).encode()

    def _measured(self, sample: pa.Table, references: list[ShardReference], groups: list[GroupReference]) -> Outcome:
        recipe, device = self._job.recipe, first_device(self._job.recipe.encoder)
        scopes = [scope_of(recipe.mine.within, dataset) for dataset in sample.column("dataset").to_pylist()]
        sampled = []
        for scope in sorted(set(scopes)):
            block = questions(
                self._job, self._store(), sample.filter(pc.equal(pa.array(scopes), scope)), self._stores()
            )
            shards = [each for each in references if each.scope == scope]
            corpus = Corpus(shards, block.asked.doc_ids, self._encoder.dimension)
            sampled.append(Sampled(block, corpus, by_miner(groups, scope)))
        library = library_of(self._settings, device)
        found = measured(sampled, recipe.mine, self._settings, library, device)
        fixed = len(library.efforts) == 1
        for miner, each in found.items():
            problem = each.shortfall(miner, self._settings, library.effort_key, fixed=fixed)
            if problem is not None:
                return Outcome(failure=("recall", problem))
        efforts = {miner: each.effort for miner, each in found.items()}
        return Outcome(efforts, index_fact(self._settings, library.effort_key, found))


@dataclass(eq=False)
class Indexed(beam.PTransform):
    """Takes references to shards; gives those of groups with their indexes, and the outcome of measuring recall."""

    job: Job
    settings: ApproximateIndex

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, shards: "beam.PCollection[bytes]") -> "tuple[beam.PCollection[bytes], beam.PCollection[bytes]]":
        """Wires the steps."""
        groups = (
            shards
            | "ByScope" >> beam.Map(by_scope).with_output_types(tuple[int, bytes])
            | "GroupScopes" >> beam.GroupByKey()
            | "GroupShards" >> beam.ParDo(GroupShards(self.job, self.settings)).with_output_types(bytes)
            | "Spread" >> Spread()
            | "BuildIndexes" >> beam.ParDo(BuildIndexes(self.job, self.settings)).with_output_types(bytes)
        )
        sides = (beam.pvalue.AsIter(shards), beam.pvalue.AsIter(groups))
        outcomes = (
            shards.pipeline
            | "Queries" >> RowGroups(self.job, ("queries",))
            | "SampleQueries" >> beam.ParDo(SampleQueries(self.job, self.settings)).with_output_types(tuple[int, bytes])
            | "GroupSample" >> beam.GroupByKey()
            | "MeasureRecall" >> beam.ParDo(MeasureRecall(self.job, self.settings), *sides).with_output_types(bytes)
        )
        return groups, outcomes
