"""A stage whose units are no rows of one table is committed only if what it wrote tells of all of them."""

from pathlib import Path

from oreline.commit import Outcome, Pending, commit, read_outcome
from oreline.exporters.exporting import Exporting
from oreline.job import Job, StageWriter
from oreline.records import Document, Judgement, Pair, Query, Triple, TriplePositive
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest

from house import finish, recipe_for

PENDING = Pending("f", {}, "2026-01-01T00:00:00Z")
DOCUMENTS = [Document(f"d/{place}", "d", f"text {place}", f"c{place}", f"t{place}") for place in range(3)]
QUERIES = [Query(f"d/q{place}", "d", f"query {place}", f"h{place}") for place in range(3)]
INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}


def job_of(folder: Path, stage: str, **sections: object) -> Job:
    recipe = recipe_for(folder, **sections)
    queries = QUERIES if stage == "export" else []
    finish(recipe, "ingest", {"documents": DOCUMENTS, "queries": queries, "pairs": []})
    triples = [
        Triple(each.query_id, each.query_hash, "d", "train", [TriplePositive(f"d/{place}", f"c{place}", "human")], [])
        for place, each in enumerate(QUERIES)
    ]
    finish(recipe, "select", {"triples": triples})
    return Job(str(folder), stage, recipe, {**INPUTS, "triples": "select"})


def outcome(job: Job, writer: StageWriter) -> Outcome | None:
    commit(job, BY_NAME[job.stage], PENDING, [writer.close()])
    return read_outcome(job.output, job.stage)


def test_a_judged_unit_without_a_judgement_fails_judge(tmp_path: Path) -> None:
    job = job_of(tmp_path, "judge")
    writer = StageWriter(job)
    writer.units(["q\td/0\tlistwise", "q\td/1\tlistwise"])
    writer.kept(["q\td/0\tlistwise", "q\td/1\tlistwise"])
    writer.rows("judgements", [Judgement("q", "d/0", "listwise", 3.0)])
    found = outcome(job, writer)
    assert found is not None
    assert "2 units kept, but 1 judgements were written" in found.message


def test_a_written_query_without_its_pair_fails_synthesize(tmp_path: Path) -> None:
    job = job_of(tmp_path, "synthesize")
    writer = StageWriter(job)
    writer.kept(each.doc_id for each in DOCUMENTS)
    writer.rows("queries", QUERIES)
    writer.rows("pairs", [Pair(each.query_id, "d/0", "positive", "seed") for each in QUERIES[:2]])
    found = outcome(job, writer)
    assert found is not None
    assert "3 queries were written, but 2 pairs" in found.message


def test_a_document_that_is_said_to_be_written_for_has_a_query(tmp_path: Path) -> None:
    job = job_of(tmp_path, "synthesize")
    writer = StageWriter(job)
    writer.kept(each.doc_id for each in DOCUMENTS)
    writer.rows("queries", QUERIES[:1])
    writer.rows("pairs", [Pair(QUERIES[0].query_id, "d/0", "positive", "seed")])
    found = outcome(job, writer)
    assert found is not None
    assert "3 documents kept, but 1 queries written" in found.message


def test_a_triple_that_is_in_no_file_fails_export(tmp_path: Path) -> None:
    job = job_of(tmp_path, "export", export={"formats": ["sentence-transformers", "jsonl"]})
    exporting = Exporting(job)
    for reference in job.row_groups("triples"):
        exporting.add(reference)
    whole = exporting.close()
    commit(job, BY_NAME["export"], PENDING, [whole])
    assert read_outcome(job.output, "export") is None
    manifest = read_manifest(job.output, "export")
    assert manifest is not None
    assert (manifest.rows("train/jsonl"), manifest.books.kept.count) == (3, 3)
    lost = StageWriter(job)
    lost.kept(each.query_id for each in QUERIES)
    found = outcome(job, lost)
    assert found is not None
    assert "2 formats should tell of 6 triples, but tell of 0" in found.message


def test_a_triple_that_one_format_cannot_hold_is_told_by_its_reject(tmp_path: Path) -> None:
    formats = ["sentence-transformers", "jsonl"]
    job = job_of(tmp_path, "export", export={"formats": formats, "short_rows": "drop"})
    exporting = Exporting(job)
    for reference in job.row_groups("triples"):
        exporting.add(reference)
    commit(job, BY_NAME["export"], PENDING, [exporting.close()])
    manifest = read_manifest(job.output, "export")
    assert manifest is not None
    assert (manifest.drops, manifest.books.kept.count) == ({"format_cannot_hold": 3}, 3)
