"""How a run ends, and what it leaves: nothing unlisted, no stale manifest taken for a new one, a log that says why."""

import json
from pathlib import Path

import pytest

from oreline.commit import Pending
from oreline.errors import BrokenTable, NoTriples, StageFailed
from oreline.running import run, settled
from oreline.stages.catalog import BY_NAME, STAGES
from oreline.tables.manifest import manifest_path, read_manifest
from pages_world import pages_recipe

from house import finish, recipe_for


def how(folder: Path, **arguments: str) -> dict[str, str]:
    return {each.name: each.how for each in run(pages_recipe(folder), **arguments).stages}  # type: ignore[arg-type]  # names of stages


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("stage", ["ingest", "dedup", "export"])
def test_a_damaged_manifest_runs_its_stage_again_and_leaves_no_old_part(stage: str, tmp_path: Path) -> None:
    run(pages_recipe(tmp_path))
    path = Path(manifest_path(str(tmp_path / "out"), stage))
    path.write_text(path.read_text().replace(f'"{stage}"', '"other"', 1))
    result = run(pages_recipe(tmp_path))
    assert {each.name: each.how for each in result.stages}[stage] == "ran"
    for each in STAGES:
        manifest = read_manifest(str(tmp_path / "out"), each.name)
        listed = {part.path for parts in manifest.tables.values() for part in parts} if manifest else set()
        found = {f"{each.name}/{name}" for name in files_below(tmp_path / "out" / each.name)}
        assert found - {f"{each.name}/manifest.json"} <= listed


def test_a_run_with_nothing_to_do_deletes_what_a_killed_one_left_unlisted(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path))
    before = files_below(tmp_path / "out")
    for place in ("select/triples/part-left.parquet", "train/sentence-transformers/pages/part-left.parquet"):
        (tmp_path / "out" / place).touch()
    assert set(how(tmp_path).values()) == {"unchanged", "skipped"}
    assert files_below(tmp_path / "out") == before


def test_an_earlier_manifest_with_the_same_fingerprint_is_not_taken_for_a_dead_jobs(tmp_path: Path) -> None:
    finish(recipe_for(tmp_path), "dedup", {"documents": []})
    with pytest.raises(StageFailed, match="dedup ended without a manifest"):
        settled(str(tmp_path), BY_NAME["dedup"], Pending("test", {}, "2026-02-02T00:00:00Z"))
    written = Pending("test", {}, "2026-01-01T00:00:00Z")
    assert settled(str(tmp_path), BY_NAME["dedup"], written).fingerprint == "test"


@pytest.mark.parametrize(
    ("stopped", "failure", "told"),
    [
        ("interrupted", "unreadable", "stopped in dedup"),
        ("budget", "unreadable", "dedup failed: half of it"),
        ("budget", None, "dedup stopped: half of it"),
    ],
)
def test_a_failure_is_told_before_a_budget_and_after_ctrl_c(
    stopped: str, failure: str | None, told: str, tmp_path: Path
) -> None:
    (tmp_path / "_progress").mkdir()
    outcome: dict[str, object] = {"stopped": stopped, "failure": failure, "message": "half of it", "counts": {}}
    (tmp_path / "_progress" / "dedup.outcome.json").write_text(json.dumps(outcome))
    with pytest.raises(Exception, match=told):
        settled(str(tmp_path), BY_NAME["dedup"], Pending("test", {}, ""))


def test_a_failed_stage_and_a_run_without_triples_are_in_the_log(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text('{"id": "a", "text": "The pump stands in the hall."}\nnot json\n')
    recipe = pages_recipe(tmp_path, sources=[{"path": str(source), "reject_share": 0.0}])
    with pytest.raises(StageFailed) as failed:
        run(recipe)
    assert str(failed.value) in (tmp_path / "out" / "run.log").read_text()
    source.write_text('{"id": "a", "text": "x"}\n')
    with pytest.raises(NoTriples, match="nothing_to_extract"):
        run(recipe)
    assert "ended by NoTriples: no triple came out" in (tmp_path / "out" / "run.log").read_text()


def test_a_worker_s_error_is_told_in_its_own_words(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path))
    part = next((tmp_path / "out" / "ingest" / "documents").iterdir())
    part.write_bytes(b"x" * part.stat().st_size)
    with pytest.raises(StageFailed) as failed:
        run(pages_recipe(tmp_path, dedup={"threshold": 0.9}))
    first = str(failed.value).splitlines()[0]
    assert first.startswith(f"dedup failed: {part}: a listed part cannot be read")
    assert first.endswith("delete it and run the recipe again")


def test_only_names_an_input_whose_part_is_gone(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path))
    next((tmp_path / "out" / "ingest" / "documents").iterdir()).unlink()
    with pytest.raises(BrokenTable, match=r"dedup reads documents of stage ingest, but .*missing.*without --only"):
        run(pages_recipe(tmp_path, dedup={"threshold": 0.9}), only="dedup")


def test_a_skipped_stage_that_was_not_asked_for_keeps_its_folder(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path))
    without = pages_recipe(tmp_path, dedup={"enabled": False})
    run(without, only="export")
    assert (tmp_path / "out" / "dedup" / "manifest.json").exists()
    run(without)
    assert not (tmp_path / "out" / "dedup").exists()
