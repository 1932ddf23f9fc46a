"""Stage synthesize: every document is accounted for, and every positive can be traced to its document."""

from collections import Counter
from pathlib import Path

import pytest

from oreline.commit import Pending, read_outcome
from oreline.errors import RecipeError
from oreline.ids import seeded_fraction
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.records import Document, FateRow, Pair, Query, Reject
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Manifest, read_manifest
from oreline.writing.catalog import WRITERS, writer_of
from synthesize_world import beir_documents, docstrings, document, positive, query

from house import data_folder, finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
ALL = ["extractive/title", "extractive/inverse_cloze", "extractive/keyphrase"]


def synthesized(
    output: Path,
    documents: list[Document],
    queries: list[Query] = [],  # noqa: B006 - read only
    pairs: list[Pair] = [],  # noqa: B006 - read only
    options: list[str] = [],  # noqa: B006 - read only
    **synthesize: object,
) -> tuple[Recipe, Manifest]:
    recipe = recipe_for(output, synthesize={"writers": ALL, **synthesize})
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    return recipe, run_stage(recipe, "synthesize", INPUTS, options)


def digests(manifest: Manifest) -> list[str]:
    return [manifest.digest(table) for table in ("documents", "queries", "pairs", "fates", "rejects")]


def test_docstrings_give_queries_whose_positives_lack_the_query(tmp_path: Path) -> None:
    source = docstrings()
    _, manifest = synthesized(tmp_path, source)
    documents = {each.doc_id: each for each in rows_of(tmp_path, "synthesize", "documents", Document)}
    queries = rows_of(tmp_path, "synthesize", "queries", Query)
    pairs = {each.query_id: each for each in rows_of(tmp_path, "synthesize", "pairs", Pair)}
    assert len(source) > 200
    assert len(queries) == len({each.query_id for each in queries}) == len(pairs) > len(source)
    writers = Counter(each.lineage.writer for each in queries if each.lineage)
    assert all(writers[name] > 50 for name in ALL)
    for each in queries:
        assert each.lineage is not None
        found = documents[pairs[each.query_id].doc_id]
        original = documents[each.lineage.doc_ids[0]]
        if each.lineage.writer == "extractive/keyphrase":
            assert found == original
            continue
        assert (found.parent_id, found.origin, found.searchable) == (original.doc_id, "generated", False)
        if each.lineage.writer == "extractive/title":
            assert found.title is None
        else:
            assert " ".join(each.query.split()) not in " ".join(found.text.split())
    assert manifest.books.balanced
    assert manifest.books.units.count == len(source)
    assert manifest.rows("documents") == len(source) + writers["extractive/title"] + writers["extractive/inverse_cloze"]


def test_medquad_gives_a_query_for_nearly_every_document(tmp_path: Path) -> None:
    source = beir_documents(data_folder("medquad-sample"), 500)
    _, manifest = synthesized(tmp_path, source)
    assert manifest.books.kept.count == 500
    writers = Counter(each.lineage.writer for each in rows_of(tmp_path, "synthesize", "queries", Query) if each.lineage)
    assert writers["extractive/title"] > 480
    assert writers["extractive/inverse_cloze"] > 400


def test_a_document_that_gives_nothing_is_dropped_with_a_reason(tmp_path: Path) -> None:
    bare = document("d/bare", None, "Too short.")
    synthesized(tmp_path, [bare, *docstrings()[:3]])
    assert rows_of(tmp_path, "synthesize", "fates", FateRow) == [FateRow("d/bare", "dropped", None)]
    [reject] = rows_of(tmp_path, "synthesize", "rejects", Reject)
    assert (reject.row_id, reject.reason) == ("d/bare", "nothing_to_extract")
    assert "d/bare" in {each.doc_id for each in rows_of(tmp_path, "synthesize", "documents", Document)}


def test_a_dataset_that_brings_pairs_is_left_alone_unless_it_is_named(tmp_path: Path) -> None:
    human = document("labelled/a", "A long enough title", "And here is a text of more than five words.")
    asked = query("labelled/q", "what is here")
    world = ([human, *docstrings()[:5]], [asked], [positive("labelled/q", "labelled/a")])
    _, manifest = synthesized(tmp_path / "default", *world, writers=None)
    assert manifest.books.passed_over.count == 1
    assert manifest.rows("fates") == 0
    written = [each for each in rows_of(tmp_path / "default", "synthesize", "queries", Query) if each.lineage]
    assert {each.dataset for each in written} == {"python"}
    _, manifest = synthesized(tmp_path / "named", *world, datasets=["labelled"])
    assert manifest.books.passed_over.count == 5
    written = [each for each in rows_of(tmp_path / "named", "synthesize", "queries", Query) if each.lineage]
    assert {each.dataset for each in written} == {"labelled"}
    assert asked in rows_of(tmp_path / "named", "synthesize", "queries", Query)
    _, manifest = synthesized(tmp_path / "writers", *world, writers=["extractive/keyphrase"])
    assert manifest.books.passed_over.count == 0


def test_a_sample_can_be_recomputed_by_hand_and_generated_documents_get_no_query(tmp_path: Path) -> None:
    source = docstrings()
    derived = Document("python/g", "python", "A text that a stage wrote.", "h", "h", origin="generated")
    _, manifest = synthesized(tmp_path, [derived, *source], sample=50)
    share = 50 / len(source)
    wanted = {each.doc_id for each in source if seeded_fraction(13, "synthesize", each.doc_id) < share}
    written = rows_of(tmp_path, "synthesize", "queries", Query)
    dropped = {each.unit_id for each in rows_of(tmp_path, "synthesize", "fates", FateRow)}
    assert 30 < len(wanted) < 70
    assert {each.lineage.doc_ids[0] for each in written if each.lineage} | dropped == wanted
    assert manifest.books.passed_over.count == len(source) + 1 - len(wanted)


def test_a_repeated_bundle_two_workers_and_another_order_change_nothing(tmp_path: Path) -> None:
    source = docstrings()[:120]
    _, once = synthesized(tmp_path / "once", source, sample=80)
    _, repeated = synthesized(
        tmp_path / "repeated", source[::-1], options=["--direct_runner_bundle_repeat=1"], sample=80
    )
    two = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    _, shared = synthesized(tmp_path / "shared", source, options=two, sample=80)
    assert digests(once) == digests(repeated) == digests(shared)
    assert once.books == repeated.books == shared.books


def test_a_dataset_that_is_not_there_fails_the_stage_and_names_those_that_are(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, synthesize={"writers": ALL, "datasets": ["pyhton"]})
    finish(recipe, "ingest", {"documents": docstrings()[:3], "queries": [], "pairs": []})
    job = Job(recipe.output, "synthesize", recipe, INPUTS)
    run_pipeline(job, BY_NAME["synthesize"], Pending("test", {}, "2026-01-01T00:00:00Z"))
    outcome = read_outcome(recipe.output, "synthesize")
    assert outcome is not None
    assert outcome.failure == "unknown_dataset"
    assert "'pyhton'" in outcome.message
    assert "python" in outcome.message
    assert read_manifest(recipe.output, "synthesize") is None


def test_an_empty_corpus_is_finished_with_nothing(tmp_path: Path) -> None:
    _, manifest = synthesized(tmp_path, [])
    assert manifest.books.units.count == 0
    assert manifest.rows("queries") == 0


def test_an_unknown_writer_is_named_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match="did you mean extractive/inverse_cloze"):
        writer_of("extractive/inverse-cloze")
    assert writer_of("my/prompt.md").needs_llm
    assert not any(writer.needs_llm for name, writer in WRITERS.items() if name.startswith("extractive/"))
