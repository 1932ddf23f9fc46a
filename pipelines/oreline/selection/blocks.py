"""Blocks: reads a few thousand queries with all that selection must know of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields

import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import Job
from oreline.records import Judgement, Pair, Query
from oreline.selection.cases import Case, Passage
from oreline.selection.mined import Mined, mined_rows
from oreline.tables.schema import from_arrow, table_schema, to_arrow

MOST_QUERIES = 2_048
"""Queries read at once, at most: what is known of each is in memory together."""

FEWEST_QUERIES = 32
TEXT_BYTES = 256 * 2**20
"""About how much text of their pools is in memory at once."""

_UNPACKED = 4
"""Bytes of text per byte of a part: zstd makes English prose a third to a fourth."""

_SLICE = 128
_PASSAGE_COLUMNS = tuple(spec.name for spec in fields(Passage))


class Passages(Mapping[str, Passage]):
    """Documents by id, held in Arrow and turned into passages when they are asked for."""

    def __init__(self, table: pa.Table) -> None:
        whole = table.combine_chunks()
        self._rows = {doc_id: row for row, doc_id in enumerate(whole.column("doc_id").to_pylist())}
        self._names = [name for name in _PASSAGE_COLUMNS if name in table.column_names]
        # Arrays, as a chunked column looks for the chunk of each value.
        columns = [whole.column(name) for name in self._names]
        self._columns = [each.chunk(0) if each.num_chunks else pa.array([], each.type) for each in columns]
        self._made: dict[str, Passage] = {}

    def __getitem__(self, doc_id: str) -> Passage:
        made = self._made.get(doc_id)
        if made is None:
            row = self._rows[doc_id]
            values = [column[row].as_py() for column in self._columns]
            made = self._made[doc_id] = Passage(**dict(zip(self._names, values, strict=True)))
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def block_queries(job: Job) -> int:
    """Returns how many queries are read at once, so that the texts of their pools take about `TEXT_BYTES`.

    A pool's documents are taken for of mean length and in no other query's pool. No row depends on it.
    """
    settings = job.recipe.select
    parts = job.parts("documents")
    rows, size = sum(part.rows for part in parts), _UNPACKED * sum(part.size for part in parts)
    if not settings.negatives or settings.near_equal is None or size <= TEXT_BYTES:
        return MOST_QUERIES
    mine = job.recipe.mine
    pool = min(rows, mine.top_k * len(mine.miners) + mine.spare)
    return max(FEWEST_QUERIES, min(MOST_QUERIES, TEXT_BYTES * rows // (size * pool)))


def read_cases(job: Job, queries: pa.Table) -> Iterator[Case]:
    """Yields the cases of some rows of the table `queries`, in the rows' order.

    Candidates are read only if negatives are asked for, texts only if near-equal texts are excluded. Queries of
    datasets in `select.false_negatives.except_datasets` are read as if no judge had run, and so are queries with a
    class: their labels say what belongs together, where a judge sees texts alone.
    """
    rows = from_arrow(Query, queries)
    mined = job.recipe.select.negatives > 0
    own = job.lookup("pairs", "query_id", (row.query_id for row in rows))
    without = job.recipe.select.false_negatives.except_datasets
    judged = {row.query_id for row in rows if row.dataset not in without and row.group is None}
    if not mined or "judgements" not in job.inputs:
        judged = set()
    equal, equal_pairs = _equal_queries(job, rows, judged)
    candidates = job.lookup("candidates", "query_id", (row.query_id for row in rows)) if mined else None
    judgements = _judgements(job, judged)
    passages = _read_passages(job, [own, equal_pairs], candidates)
    pairs_of = _by_query(from_arrow(Pair, own))
    equal_pairs_of = _by_query(from_arrow(Pair, equal_pairs))
    for row, candidate in zip(rows, _candidates(rows, candidates), strict=True):
        yield Case(
            query=row,
            pairs=tuple(pairs_of[row.query_id]),
            equal_pairs=tuple(pair for other in equal[row.query_id] for pair in equal_pairs_of[other]),
            candidate=candidate,
            judgements=tuple(judgements[row.query_id]) if row.query_id in judged else None,
            passages=passages,
        )


def _equal_queries(job: Job, rows: list[Query], judged: set[str]) -> tuple[dict[str, list[str]], pa.Table]:
    """Returns, for each query, the other queries of its dataset with equal text; and all pairs of those.

    What a judge found relevant for one of those counts as its positive, as relabelling may make it one.
    """
    columns = ["query_id", "dataset", "query_hash"]
    found = job.lookup("queries", "query_hash", (row.query_hash for row in rows), columns)
    together: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for query_id, dataset, query_hash in zip(*(found.column(name).to_pylist() for name in columns), strict=True):
        together[dataset, query_hash].append(query_id)
    equal = {
        row.query_id: sorted(other for other in together[row.dataset, row.query_hash] if other != row.query_id)
        for row in rows
    }
    others = {other for each in equal.values() for other in each}
    if not others:
        return equal, table_schema("pairs").empty_table()
    pairs = job.lookup("pairs", "query_id", others)
    # Equal queries are of one dataset, so those of a judged one are judged too.
    relevant = {other for query_id in judged for other in equal[query_id]}
    return equal, pa.concat_tables([pairs, _found_relevant(job, relevant)]) if relevant else pairs


def _found_relevant(job: Job, query_ids: set[str]) -> pa.Table:
    columns = ["query_id", "doc_id", "verdict"]
    found = job.lookup("judgements", "query_id", query_ids, columns)
    relevant = found.filter(pc.equal(found.column("verdict"), "relevant")).to_pylist()
    return to_arrow(Pair, [Pair(each["query_id"], each["doc_id"], "positive", "relabel") for each in relevant])


def _by_query(pairs: Iterable[Pair]) -> defaultdict[str, list[Pair]]:
    found: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        found[pair.query_id].append(pair)
    return found


def _judgements(job: Job, query_ids: set[str]) -> defaultdict[str, list[Judgement]]:
    found: defaultdict[str, list[Judgement]] = defaultdict(list)
    if not query_ids:
        return found
    for judgement in from_arrow(Judgement, job.lookup("judgements", "query_id", query_ids)):
        found[judgement.query_id].append(judgement)
    return found


def _candidates(rows: list[Query], table: pa.Table | None) -> Iterator[Mined | None]:
    """Yields each query's candidates; only a slice of them is in Python's memory at a time."""
    if table is None:
        yield from (None for _ in rows)
        return
    places = {query_id: place for place, query_id in enumerate(table.column("query_id").to_pylist())}
    whole = table.combine_chunks()
    for start in range(0, len(rows), _SLICE):
        wanted = [row.query_id for row in rows[start : start + _SLICE]]
        taken = pa.array([places[each] for each in wanted if each in places], pa.int64())
        found = {each.query_id: each for each in mined_rows(whole.take(taken))}
        yield from (found.get(query_id) for query_id in wanted)


def _read_passages(job: Job, pairs: list[pa.Table], candidates: pa.Table | None) -> Passages:
    columns = [name for name in _PASSAGE_COLUMNS if name != "text"]
    if candidates is not None and job.recipe.select.near_equal is not None:
        columns.append("text")
    wanted: set[str] = set()
    for table in pairs:
        wanted.update(table.column("doc_id").to_pylist())
    if candidates is not None:
        pool = pc.list_flatten(candidates.column("pool"))
        wanted.update(pc.unique(pc.struct_field(pool, "doc_id")).to_pylist())
    found = job.lookup("documents", "doc_id", wanted, columns)
    derived = found.filter(pc.equal(found.column("origin"), "generated")).column("parent_id").to_pylist()
    parents = {parent for parent in derived if parent is not None} - wanted
    if parents:
        found = pa.concat_tables([found, job.lookup("documents", "doc_id", parents, columns)])
    return Passages(found)
