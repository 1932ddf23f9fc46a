"""The recipes in examples/ that follow a paper, each run whole over a small corpus against the local server."""

import json
from collections import Counter
from pathlib import Path

import pytest

import oreline
from examples_world import lay_out
from oreline.cli import main
from oreline.records import Document, Lineage, Pair, Query, Triple
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import Manifest, read_manifest

from gemini_server import GeminiServer
from house import rows_of

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALLER = {
    "e5_synthetic": ["synthesize.brainstorm.rows=24", "synthesize.brainstorm.tasks_per_call=3"],
    "classification": ["synthesize.classification.rows=24", "synthesize.classification.list_length=6"],
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gemini_server: GeminiServer) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMINI_API_KEY", gemini_server.key)
    lay_out(tmp_path)
    return tmp_path


def run(name: str, server: GeminiServer, *more: str) -> Path:
    """Runs an example and returns its output."""
    settings = ["output=out", *SMALLER.get(name, ()), *more]
    recipe = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    sections = [section for section in ("llm", "judge.cascade.llm") if f"{section.rpartition('.')[2]}:" in recipe]
    if "cascade" not in recipe:
        sections = [each for each in sections if each != "judge.cascade.llm"]
    for section in sections:
        settings += [f"{section}.base_url={server.url}", f"{section}.server=local"]
    arguments = [each for setting in settings for each in ("--set", setting)]
    assert main(["run", str(EXAMPLES / f"{name}.yaml"), *arguments]) == 0
    return Path("out")


def manifests(output: Path) -> dict[str, Manifest]:
    """The manifests of all stages that ran, each with its books checked."""
    found = {}
    for stage in STAGES:
        manifest = read_manifest(str(output), stage.name)
        if manifest is None:
            continue
        books, counts = manifest.books, manifest.counts
        assert books.balanced, stage.name
        assert books.units.count > 0, stage.name
        assert counts.get("requests", 0) == counts.get("answers", 0) + counts.get("answer_rejects", 0)
        found[stage.name] = manifest
    return found


def triples(output: Path) -> list[Triple]:
    """The rows; their positives and negatives are documents of the corpus, and none is both."""
    stage = next(each for each in ("synthesize", "dedup") if read_manifest(str(output), each) is not None)
    known = set(oreline.read(str(output / stage / "documents")).collect()["doc_id"].to_list())
    found = rows_of(output, "select", "triples", Triple)
    assert found
    for each in found:
        positives = {one.doc_id for one in each.positives}
        negatives = {one.doc_id for one in each.negatives}
        assert positives
        assert positives | negatives <= known
        assert not positives & negatives
    return found


def lineage(output: Path) -> list[Lineage]:
    """Where the written queries that stayed came from."""
    return [each.lineage for each in rows_of(output, "filter", "queries", Query) if each.lineage is not None]


def test_gecko_relabels_by_two_scorers_and_takes_the_lowest_ranked(world: Path, gemini_server: GeminiServer) -> None:
    output = run("gecko_fret", gemini_server)
    manifests(output)
    rows = triples(output)
    judged = oreline.read(str(output / "judge" / "judgements")).collect()
    assert set(judged["scorer"].to_list()) == {"graded", "likelihood"}
    assert all(len(each.negatives) <= 1 for each in rows)
    assert all(negative.fused is not None for each in rows for negative in each.negatives)
    assert (world / "out" / "train" / "jsonl").is_dir()


def test_pre_fine_tuning_pairs_cost_nothing_and_lack_their_title(world: Path, gemini_server: GeminiServer) -> None:
    output = run("gemini_embedding_prefinetune", gemini_server)
    assert set(manifests(output)) == {"ingest", "dedup", "synthesize", "filter", "select", "export"}
    assert gemini_server.calls.total() == 0
    documents = {each.doc_id: each for each in rows_of(output, "synthesize", "documents", Document)}
    queries = {each.query_id: each.query for each in rows_of(output, "filter", "queries", Query)}
    for row in triples(output):
        positive = documents[row.positives[0].doc_id]
        assert positive.title is None
        assert not positive.text.startswith(queries[row.query_id])
    assert (world / "out" / "train" / "sentence-transformers").is_dir()


def test_fine_tuning_rows_come_from_both_writers_and_are_fused(world: Path, gemini_server: GeminiServer) -> None:
    output = run("gemini_embedding_finetune", gemini_server)
    manifests(output)
    assert {each.writer for each in lineage(output)} == {"retrieval/fret", "retrieval/summarize"}
    assert any(negative.fused is not None for each in triples(output) for negative in each.negatives)
    assert world


def test_swim_ir_draws_languages_and_keeps_what_was_drawn(world: Path, gemini_server: GeminiServer) -> None:
    output = run("swim_ir", gemini_server, "filter.language=none")
    manifests(output)
    drawn = [json.loads(each.drawn or "{}") for each in lineage(output)]
    assert len(drawn) > 10
    languages = Counter(each.lang for each in rows_of(output, "filter", "queries", Query))
    assert len(languages) > 1
    assert triples(output)
    assert world


def test_e5_writes_documents_and_known_negatives_for_tasks_of_its_own(world: Path, gemini_server: GeminiServer) -> None:
    # No judge: the local server's grades words, and finds made-up negatives relevant.
    output = run("e5_synthetic", gemini_server, "judge.enabled=false", "select.relabel.synthetic=keep")
    found = manifests(output)
    assert found["synthesize"].counts["draws"] > 0
    generated = [each for each in rows_of(output, "synthesize", "documents", Document) if each.origin == "generated"]
    negatives = [each for each in rows_of(output, "synthesize", "pairs", Pair) if each.label == "negative"]
    assert generated
    assert negatives
    assert any(one.miner == "known" for each in triples(output) for one in each.negatives)
    assert world


def test_classification_rows_have_a_positive_of_their_label_and_a_negative_of_another(
    world: Path, gemini_server: GeminiServer
) -> None:
    output = run("classification", gemini_server)
    manifests(output)
    groups = {each.doc_id: each.group for each in rows_of(output, "synthesize", "documents", Document)}
    rows = triples(output)
    assert {each.dataset.partition("-")[0] for each in rows} >= {"labelled", "classification"}
    for each in rows:
        assert each.group is not None
        assert {groups[one.doc_id] for one in each.positives} == {each.group}
        assert each.group not in {groups[one.doc_id] for one in each.negatives}
    assert world


def test_code_rows_come_from_docstrings_and_from_both_writers(world: Path, gemini_server: GeminiServer) -> None:
    output = run("code", gemini_server)
    manifests(output)
    assert {"extractive/docstring", "code/describe"} <= {each.writer for each in lineage(output)}
    assert triples(output)
    assert world


def test_an_existing_set_is_cleaned_by_a_cascade(world: Path, gemini_server: GeminiServer) -> None:
    output = run("rlhn_clean", gemini_server)
    found = manifests(output)
    assert "synthesize" not in found
    judged = oreline.read(str(output / "judge" / "judgements")).collect()
    assert {"listwise", "listwise/strong"} == set(judged["scorer"].to_list())
    assert gemini_server.asked_models["gemini-3.5-flash"] > 0
    assert triples(output)
    assert world
