"""The steps of mine where a file of candidates is the reference: no vector is read or made."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.heartbeat import Heartbeat
from oreline.job import StageWriter
from oreline.search.corpus import ShardReference, scope_of
from oreline.search.imported.alone import mine_by_file
from oreline.search.imported.lists import some
from oreline.search.imported.naming import datasets_of
from oreline.search.imported.spreading import ROW_SCHEMA
from oreline.search.ranges import REPORT
from oreline.search.steps import Listing
from oreline.shuffle import gather


class WriteIds(Listing):
    """Writes shards without vectors: ids and tags."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
        """Yields references to shards."""
        rows = gather(element[1])["documents"]
        for scope in sorted(set(rows.column("scope").to_pylist())):
            mine = rows.filter(pc.equal(rows.column("scope"), scope)).sort_by("doc_id").select(["doc_id", "tags"])
            path = self._job.scratch("shard") + ".parquet"
            with files.open_write(path) as file:
                pq.write_table(mine, file, compression="none", use_dictionary=False)
            yield ShardReference(scope, path).encode()


class MineByFile(Listing):
    """Makes candidates of a block of queries from what files hold of them."""

    def process(self, element: tuple[int, Iterable[bytes]], shards: Iterable[bytes]) -> Iterator[bytes]:
        """Yields a report per block; hands on those about files of candidates."""
        if element[0] == REPORT:
            yield from element[1]
            return
        tables = gather(element[1])
        rows, runs = tables["queries"], tables.get("runs", ROW_SCHEMA.empty_table())
        references = [ShardReference.decode(each) for each in shards]
        datasets, within = datasets_of(self._job.recipe), self._job.recipe.mine.within
        writer, heartbeat = StageWriter(self._job), Heartbeat(self._job)
        writer.fact("reference", self._job.recipe.mine.reference)
        scopes = [scope_of(within, dataset) for dataset in rows.column("dataset").to_pylist()]
        for scope in sorted(set(scopes)):
            if self._job.stop_requested():
                yield writer.close(stopped="interrupted", message="interrupted; mine starts again next time").encode()
                return
            chosen = rows.filter(pa.array([each == scope for each in scopes]))
            ids = chosen.column("query_id").combine_chunks()
            own = some(runs, np.asarray(pc.is_in(runs.column("query_id"), value_set=ids), np.bool_))
            within_scope = [each for each in references if each.scope == scope]
            mined = mine_by_file(self._job, chosen, own, within_scope, datasets, writer)
            lonely = pc.sum(pc.equal(pc.list_value_length(mined.column("positives")), 0)).as_py() or 0
            writer.count("queries_without_positive", lonely)
            writer.arrow("candidates", mined)
            writer.kept(mined.column("query_id").to_pylist())
            heartbeat.add(mined.num_rows)
        heartbeat.flush()
        yield writer.close().encode()
