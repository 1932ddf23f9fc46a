"""A stage is committed only if its books balance, from the parts that are on disk."""

import json
from pathlib import Path

import pytest

from oreline.commit import Pending, commit, read_outcome, sweep
from oreline.errors import BrokenTable
from oreline.job import Job, Report, StageWriter
from oreline.records import Document, Reject
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import broken_parts, manifest_path, read_manifest

from house import finish, recipe_for

DEDUP = BY_NAME["dedup"]
PENDING = Pending("f", {"keys": 1}, "2026-01-01T00:00:00Z")


def documents(number: int) -> list[Document]:
    return [Document(f"d/{each}", "d", f"text {each}", f"c{each}", f"t{each}") for each in range(number)]


def job_over(folder: Path, number: int) -> Job:
    recipe = recipe_for(folder)
    finish(recipe, "ingest", {"documents": documents(number), "pairs": []})
    return Job(str(folder), "dedup", recipe, {"documents": "ingest", "pairs": "ingest"})


def keep(job: Job, rows: list[Document]) -> Report:
    writer = StageWriter(job)
    writer.rows("documents", rows)
    writer.kept(row.doc_id for row in rows)
    return writer.close()


def reject(unit: str) -> Reject:
    return Reject(unit, "documents", "empty", "nothing in it")


def test_a_stage_whose_units_are_all_told_is_committed(tmp_path: Path) -> None:
    job = job_over(tmp_path, 4)
    writer = StageWriter(job)
    writer.rows("documents", documents(2))
    writer.kept(["d/0", "d/1"])
    writer.dropped("d/2", reject("d/2"))
    writer.merged("d/3", into="d/0")
    commit(job, DEDUP, PENDING, [writer.close()])
    manifest = read_manifest(str(tmp_path), "dedup")
    assert manifest is not None
    books = manifest.books
    counted = (books.units.count, books.kept.count, books.merged.count, books.dropped.count)
    assert (counted, manifest.drops, manifest.rows("fates")) == ((4, 2, 1, 1), {"empty": 1}, 2)


def test_a_unit_that_nobody_tells_of_fails_the_stage(tmp_path: Path) -> None:
    job = job_over(tmp_path, 3)
    commit(job, DEDUP, PENDING, [keep(job, documents(2))])
    outcome = read_outcome(str(tmp_path), "dedup")
    assert outcome is not None
    assert outcome.failure == "conservation"
    assert "units in: 3, but kept 2" in outcome.message
    assert read_manifest(str(tmp_path), "dedup") is None


def test_the_right_number_of_wrong_units_fails_the_stage(tmp_path: Path) -> None:
    job = job_over(tmp_path, 2)
    strangers = [Document(f"d/other{each}", "d", "x", "c", "t") for each in range(2)]
    commit(job, DEDUP, PENDING, [keep(job, strangers)])
    outcome = read_outcome(str(tmp_path), "dedup")
    assert outcome is not None
    assert outcome.failure == "conservation"


def test_a_unit_that_is_said_to_be_kept_must_stand_in_the_table(tmp_path: Path) -> None:
    job = job_over(tmp_path, 2)
    writer = StageWriter(job)
    writer.rows("documents", documents(1))
    writer.kept(["d/0", "d/1"])
    commit(job, DEDUP, PENDING, [writer.close()])
    outcome = read_outcome(str(tmp_path), "dedup")
    assert outcome is not None
    assert "2 units kept, but documents has 1 rows" in outcome.message


def test_requests_that_have_no_answer_and_no_reject_fail_the_stage(tmp_path: Path) -> None:
    job = job_over(tmp_path, 1)
    writer = StageWriter(job)
    writer.rows("documents", documents(1))
    writer.kept(["d/0"])
    writer.count("requests", 3)
    writer.count("answers", 2)
    commit(job, DEDUP, PENDING, [writer.close()])
    outcome = read_outcome(str(tmp_path), "dedup")
    assert outcome is not None
    assert "3 requests, but 2 answers and 0 rejects" in outcome.message


def test_a_commit_with_equal_content_keeps_the_earlier_parts(tmp_path: Path) -> None:
    job = job_over(tmp_path, 3)
    commit(job, DEDUP, PENDING, [keep(job, documents(3))])
    first = read_manifest(str(tmp_path), "dedup")
    commit(
        job, DEDUP, Pending("other", {}, "2026-02-02T00:00:00Z"), [keep(job, documents(2)), keep(job, documents(3)[2:])]
    )
    second = read_manifest(str(tmp_path), "dedup")
    assert first is not None
    assert second is not None
    assert second.tables["documents"] == first.tables["documents"]
    assert second.fingerprint == "other"


def test_sweeping_deletes_what_no_manifest_lists_and_nothing_else(tmp_path: Path) -> None:
    job = job_over(tmp_path, 2)
    keep(job, documents(2))
    Path(job.scratch("left")).parent.mkdir()
    Path(job.scratch("left")).touch()
    commit(job, DEDUP, PENDING, [keep(job, documents(2))])
    sweep(str(tmp_path), "dedup")
    left = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "dedup").rglob("*") if path.is_file())
    manifest = read_manifest(str(tmp_path), "dedup")
    assert manifest is not None
    assert left == sorted(["dedup/manifest.json", *(part.path for part in manifest.tables["documents"])])


def test_a_manifest_that_was_edited_by_hand_is_refused(tmp_path: Path) -> None:
    job = job_over(tmp_path, 1)
    commit(job, DEDUP, PENDING, [keep(job, documents(1))])
    path = Path(manifest_path(str(tmp_path), "dedup"))
    body = json.loads(path.read_text())
    body["books"]["kept"][0] = 7
    path.write_text(json.dumps(body))
    with pytest.raises(BrokenTable, match="edited or damaged"):
        read_manifest(str(tmp_path), "dedup")


def test_a_manifest_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    job = job_over(tmp_path, 1)
    commit(job, DEDUP, PENDING, [keep(job, documents(1))])
    path = Path(manifest_path(str(tmp_path), "dedup"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BrokenTable, match="not a manifest"):
        read_manifest(str(tmp_path), "dedup")


def test_missing_and_truncated_parts_are_named(tmp_path: Path) -> None:
    job = job_over(tmp_path, 2)
    commit(job, DEDUP, PENDING, [keep(job, documents(1)), keep(job, documents(2)[1:])])
    manifest = read_manifest(str(tmp_path), "dedup")
    assert manifest is not None
    first, second = (tmp_path / part.path for part in manifest.tables["documents"])
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    missing, truncated = broken_parts(str(tmp_path), manifest)
    assert "missing" in missing
    assert first.name in missing
    assert "bytes, but dedup/manifest.json lists" in truncated


def test_an_expected_stop_leaves_an_outcome_and_no_manifest(tmp_path: Path) -> None:
    job = job_over(tmp_path, 1)
    stopped = StageWriter(job).close(stopped="budget", message="5 dollars are spent")
    commit(job, DEDUP, PENDING, [keep(job, documents(1)), stopped])
    outcome = read_outcome(str(tmp_path), "dedup")
    assert outcome is not None
    assert (outcome.stopped, outcome.message) == ("budget", "5 dollars are spent")
    assert read_manifest(str(tmp_path), "dedup") is None
