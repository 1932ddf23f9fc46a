"""Exporting a finished output once more, and deleting what no manifest lists."""

from pathlib import Path

import pytest

from export_world import finish_world, triple
from oreline.errors import CallError
from oreline.exporters.again import export_again, paths_of
from oreline.exporters.sweeping import sweep_train, unlisted
from oreline.fingerprint import finished, pending
from oreline.recipe.loading import dump_recipe
from oreline.recipe.settings import Recipe
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest

from house import recipe_for, run_stage

INPUTS = {"triples": "select", "documents": "synthesize", "queries": "filter"}


def world(output: Path) -> Recipe:
    recipe = recipe_for(output)
    finish_world(recipe, [triple("q0", ["d0"], ["d1"]), triple("q1", ["d0"], ["d2"])])
    (output / "recipe.yaml").write_text(dump_recipe(recipe))
    return recipe


def test_another_format_joins_those_that_are_there(tmp_path: Path) -> None:
    recipe = world(tmp_path)
    before = run_stage(recipe, "export", INPUTS)
    manifest = export_again(str(tmp_path), "jsonl")
    assert manifest.rows("train/jsonl") == 2
    assert manifest.tables["train/sentence-transformers"] == before.tables["train/sentence-transformers"]
    assert paths_of(str(tmp_path), manifest, "jsonl") == [f"{tmp_path}/train/jsonl/world/train"]
    assert unlisted(str(tmp_path), manifest) == []


def test_running_the_recipe_afterwards_has_nothing_to_do(tmp_path: Path) -> None:
    recipe = world(tmp_path)
    export_again(str(tmp_path), "jsonl")
    now = pending(recipe, BY_NAME["export"], "")
    manifest, cause = finished(recipe, BY_NAME["export"], now)
    assert cause == "finished"
    assert manifest is not None
    assert {"train/jsonl", "train/sentence-transformers"} <= manifest.tables.keys()


def test_an_output_that_was_moved_is_exported_where_it_lies(tmp_path: Path) -> None:
    world(tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "second")
    export_again(str(tmp_path / "second"), "jsonl")
    assert list((tmp_path / "second" / "train" / "jsonl").rglob("*.jsonl"))
    assert not (tmp_path / "first").exists()


def test_an_unknown_format_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    world(tmp_path)
    with pytest.raises(CallError, match="no format 'tevatron'; there are sentence-transformers, jsonl"):
        export_again(str(tmp_path), "tevatron")


def test_an_output_without_triples_is_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe_for(tmp_path)))
    with pytest.raises(CallError, match=r"run its recipe first: oreline run .*recipe\.yaml"):
        export_again(str(tmp_path), "jsonl")


def test_a_folder_that_is_no_output_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"there is no recipe\.yaml in it"):
        export_again(str(tmp_path), "jsonl")


def test_files_that_no_manifest_lists_are_found_and_deleted_with_their_folders(tmp_path: Path) -> None:
    recipe = world(tmp_path)
    manifest = run_stage(recipe, "export", INPUTS)
    stray = tmp_path / "train" / "jsonl" / "old" / "part-0.jsonl"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}\n")
    assert unlisted(str(tmp_path), manifest) == [str(stray)]
    sweep_train(str(tmp_path), manifest)
    assert not (tmp_path / "train" / "jsonl").exists()
    (part,) = manifest.tables["train/sentence-transformers"]
    assert (tmp_path / part.path).exists()


def test_without_a_manifest_everything_below_train_is_unlisted(tmp_path: Path) -> None:
    recipe = world(tmp_path)
    run_stage(recipe, "export", INPUTS)
    assert len(unlisted(str(tmp_path), None)) == 1
    assert unlisted(str(tmp_path / "nothing"), None) == []


def test_a_repeated_bundle_s_files_are_unlisted(tmp_path: Path) -> None:
    recipe = world(tmp_path)
    manifest = run_stage(recipe, "export", INPUTS, ["--direct_runner_bundle_repeat=1"])
    assert len(unlisted(str(tmp_path), manifest)) == 1
    assert read_manifest(str(tmp_path), "export") == manifest
