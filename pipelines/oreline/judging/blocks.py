"""Blocks of judge: the cases of one range of queries with all that is shown of them, and what is known already.

A block is prepared once and waits in scratch files, so that all of a stage's steps see the same texts and the same
stored verdicts, whatever is stored meanwhile. Its reference is a short JSON; no text crosses an edge.
"""

import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oreline import files
from oreline.ids import bucket_of
from oreline.job import Job
from oreline.judging import cross_encoder
from oreline.judging.cases import Case, Found
from oreline.judging.instructions import instruction_of
from oreline.judging.kept import (
    Kept,
    Range,
    VerdictStore,
    digest_of,
    query_digest,
    range_count,
    verdict_key,
)
from oreline.judging.scorers import ModelScorer, model_scorers, strong_scorer
from oreline.judging.shown import judged_documents
from oreline.judging.texts import READ_CHARACTERS, shown_document, shown_query
from oreline.llm.sharing import assigned
from oreline.recipe.settings import Recipe
from oreline.records import Candidate, Query
from oreline.stages.wiring import decode_row_group
from oreline.tables.schema import from_arrow, to_arrow

BLOCK_QUERIES = 1_024
CROSS_ENCODER = "cross_encoder"

Pair = tuple[str, str, str]
"""A query, a document and a scorer."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class Shown:
    """A document as it is shown."""

    doc_id: str
    text: str


@dataclass(frozen=True)
class Prepared:
    """A block's cases, the documents in them as they are shown, and the verdicts that were stored before.

    `crossed` is what the cross-encoder said of the others.
    """

    where: Range
    cases: tuple[Case, ...]
    texts: Mapping[str, str]
    known: Mapping[Pair, Found]
    crossed: tuple[Found, ...] = ()

    def missing(self, case: Case, scorer: str, doc_ids: Collection[str] | None = None) -> list[str]:
        """Returns the documents of a case, or those given, that a scorer is not known to have judged."""
        wanted = case.doc_ids if doc_ids is None else [each for each in case.doc_ids if each in doc_ids]
        return [doc_id for doc_id in wanted if (case.query_id, doc_id, scorer) not in self.known]


@dataclass
class Identities:
    """What the scorers of a recipe are known by in the store, by name and place of the model."""

    models: list[ModelScorer]
    cross_encoder: str | None
    _hashes: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._hashes = {each.name: each.identities() for each in self.models}

    @classmethod
    def of(cls, recipe: Recipe) -> "Identities":
        """Raises PromptError or CallError if a prompt or the cross-encoder cannot be had."""
        strong, measured = strong_scorer(recipe), recipe.judge.cross_encoder
        used = measured is not None and CROSS_ENCODER in recipe.judge.scorers
        models = [*model_scorers(recipe), *([] if strong is None else [strong])]
        return cls(models, cross_encoder.identity(measured) if used and measured is not None else None)

    def keys(self, case: Case, documents: Mapping[str, bytes]) -> Iterator[tuple[Pair, str]]:
        """Yields the stored verdicts' keys of a case, by scorer and document; `documents` are digests of texts."""
        query = query_digest(case)
        hashes = [(each.name, self._hashes[each.name][assigned(each.llm, case.query_id)[0]]) for each in self.models]
        if self.cross_encoder is not None:
            hashes.append((CROSS_ENCODER, self.cross_encoder))
        for scorer, identity in hashes:
            for doc_id in case.doc_ids:
                yield (case.query_id, doc_id, scorer), verdict_key(identity, query, documents[doc_id])


def prepared(job: Job, block: bytes) -> Iterator[Prepared]:
    """Yields what a block holds: as it was parked, or, of a reference to rows of candidates, as it would be now."""
    body = json.loads(block)
    if isinstance(body, dict):
        yield _parked(job, body)
        return
    yield from prepare(job, job.read(decode_row_group(block)))


def prepare(job: Job, rows: pa.Table) -> Iterator[Prepared]:
    """Yields blocks of at most 1,024 queries from rows of candidates, in the order of their ranges.

    A stage hands in the rows of one range, which is that of their blocks. Of others, a block's range is its first.
    """
    ranges = ranges_of(job)
    keyed = [(bucket_of(each, ranges), each) for each in rows.column("query_id").to_pylist()]
    order = sorted(range(len(keyed)), key=keyed.__getitem__)
    store, identities = VerdictStore(job.recipe.cache_folder), Identities.of(job.recipe)
    for start in range(0, rows.num_rows, BLOCK_QUERIES):
        places = order[start : start + BLOCK_QUERIES]
        cases = _cases(job, from_arrow(Candidate, rows.take(pa.array(places))))
        texts = _texts(job, {doc_id for case in cases for doc_id in case.doc_ids})
        digests, known = _digests(texts), dict[Pair, Found]()
        for bucket in dict.fromkeys(keyed[place][0] for place in places):
            own = [case for case in cases if bucket_of(case.query_id, ranges) == bucket]
            known.update(_known(store, identities, Range(bucket, ranges), own, digests))
        yield Prepared(Range(keyed[places[0]][0], ranges), cases, texts, known)


def ranges_of(job: Job) -> int:
    """Returns how many ranges the query ids of a job's candidates are cut into."""
    return range_count(sum(part.rows for part in job.parts("candidates")))


def keys_of(job: Job, block: Prepared) -> dict[Pair, str]:
    """Returns the keys under which a block's verdicts are stored."""
    identities, documents = Identities.of(job.recipe), _digests(block.texts)
    return {pair: key for case in block.cases for pair, key in identities.keys(case, documents)}


def read_again(job: Job, block: Prepared, scorer: str) -> list[Found]:
    """Returns what is stored by now of what a scorer was not known to have said when the block was prepared."""
    keys = {pair: key for pair, key in keys_of(job, block).items() if pair[2] == scorer and pair not in block.known}
    kept = VerdictStore(job.recipe.cache_folder).read(block.where, keys.values())
    return [_found(pair, kept[key]) for pair, key in keys.items() if key in kept]


def park(job: Job, block: Prepared) -> bytes:
    """Writes a block into scratch files and returns its reference."""
    path = job.scratch("judged")
    _write(f"{path}.cases", Case, list(block.cases))
    _write(f"{path}.texts", Shown, [Shown(doc_id, text) for doc_id, text in block.texts.items()])
    _write(f"{path}.known", Found, list(block.known.values()))
    return json.dumps({"path": path, "bucket": block.where.bucket, "buckets": block.where.buckets}).encode()


def park_crossed(block: bytes, found: list[Found]) -> None:
    """Keeps what the cross-encoder said beside a parked block; again replaces it."""
    _write(f"{json.loads(block)['path']}.crossed", Found, found)


def _parked(job: Job, body: dict[str, str | int]) -> Prepared:
    path, where = str(body["path"]), Range(int(body["bucket"]), int(body["buckets"]))
    found = _read(f"{path}.known", Found)
    crossed = job.recipe.judge.cross_encoder is not None and files.exists(f"{path}.crossed.parquet")
    return Prepared(
        where,
        tuple(_read(f"{path}.cases", Case)),
        {each.doc_id: each.text for each in _read(f"{path}.texts", Shown)},
        {(each.query_id, each.doc_id, each.scorer): each for each in found},
        tuple(_read(f"{path}.crossed", Found)) if crossed else (),
    )


def _cases(job: Job, candidates: list[Candidate]) -> tuple[Case, ...]:
    """Returns the cases of queries without a class: select reads no verdict on the others, so none is paid for."""
    recipe = job.recipe
    wanted = [each.query_id for each in candidates]
    queries = {each.query_id: each for each in from_arrow(Query, job.lookup("queries", "query_id", wanted))}
    return tuple(
        Case(
            query_id=each.query_id,
            query=shown_query(queries[each.query_id].query),
            instruction=instruction_of(queries[each.query_id]),
            doc_ids=judged_documents(
                each,
                recipe.judge.top_k,
                recipe.select.negatives,
                recipe.mine.ceiling,
                per_miner=recipe.select.per_miner is not None,
            ),
            positives=[positive.doc_id for positive in each.positives],
        )
        for each in candidates
        if queries[each.query_id].group is None
    )


def _texts(job: Job, wanted: set[str]) -> dict[str, str]:
    """Returns documents by id as they are shown; they are read only as far as that: whole ones may be long."""
    if not wanted:
        return {}
    ids = pa.array(sorted(wanted), pa.string())
    found: dict[str, str] = {}
    for block in job.iterate("documents", ["doc_id", "title", "text"]):
        chosen = block.filter(pc.is_in(block.column("doc_id"), ids))
        texts = pc.utf8_slice_codeunits(chosen.column("text"), 0, READ_CHARACTERS)
        doc_ids, titles, shown = (column.to_pylist() for column in (*chosen.columns[:2], texts))
        found.update((doc_id, shown_document(*row)) for doc_id, *row in zip(doc_ids, titles, shown, strict=True))
    return found


def _known(
    store: VerdictStore, identities: Identities, where: Range, cases: Collection[Case], documents: Mapping[str, bytes]
) -> dict[Pair, Found]:
    keys = {pair: key for case in cases for pair, key in identities.keys(case, documents)}
    kept = store.read(where, keys.values())
    return {pair: _found(pair, kept[key]) for pair, key in keys.items() if key in kept}


def _digests(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {doc_id: digest_of([doc_id, text]) for doc_id, text in texts.items()}


def _found(pair: Pair, kept: Kept) -> Found:
    return Found(
        *pair,
        value=kept.value,
        reason=kept.reason,
        model=kept.model,
        request_key=kept.request_key,
        source=kept.source,
    )


def _write(path: str, row_type: type[Row], rows: list[Row]) -> None:
    buffer = io.BytesIO()
    pq.write_table(to_arrow(row_type, rows), buffer, compression="lz4")
    files.write_atomically(f"{path}.parquet", buffer.getvalue())


def _read(path: str, row_type: type[Row]) -> list[Row]:
    return from_arrow(row_type, pq.read_table(io.BytesIO(files.read_bytes(f"{path}.parquet"))))
