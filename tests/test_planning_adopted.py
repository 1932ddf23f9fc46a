"""What preflight and plan say of a run from an earlier output, and that all problems come at once."""

from pathlib import Path

import pytest

from oreline.errors import PreflightError
from oreline.preflight import check, models_called
from oreline.recipe.loading import recipe_from
from oreline.running import run
from pages_world import pages_recipe

LLM = {"provider": "gemini", "model": "gemini-3.5-flash-lite"}


def test_a_plan_from_an_earlier_output_says_what_is_adopted_and_the_run_does_so(tmp_path: Path) -> None:
    old = str(tmp_path / "old")
    run(pages_recipe(tmp_path, "old"))
    new = pages_recipe(tmp_path, "new", export={"positives": "first"})
    plan = check(recipe_from(new), adopt_from=old)
    told = {each.stage.name: each.status for each in plan if each.status != "skipped"}
    assert told == {
        **dict.fromkeys(("ingest", "dedup", "synthesize", "filter", "select"), "adopt"),
        "export": "run",
    }
    assert next(each.units for each in plan if each.stage.name == "export") == 3
    assert not (tmp_path / "new").exists()
    how = {each.name: each.how for each in run(new, adopt_from=old).stages if each.how != "skipped"}
    assert how == {name: "adopted" if status == "adopt" else "ran" for name, status in told.items()}


def test_a_stage_that_is_adopted_calls_no_model(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path, "old", filter={"rater": None}))
    extractive = {"writers": ["extractive/title", "extractive/inverse_cloze"]}
    loaded = recipe_from(pages_recipe(tmp_path, "new", synthesize=extractive, filter={"rater": None}, llm=LLM))
    plan = check(loaded, adopt_from=str(tmp_path / "old"))
    assert {each.status for each in plan} == {"adopt", "skipped"}
    assert models_called(loaded.recipe, plan) == {}


def test_a_missing_path_key_and_encoder_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    recipe = {
        "output": str(tmp_path / "out"),
        "sources": [str(tmp_path / "gone.jsonl")],
        "llm": LLM,
        "encoder": {"model": str(tmp_path / "no" / "model")},
    }
    with pytest.raises(PreflightError) as told:
        check(recipe_from(recipe))
    for part in ("gone.jsonl: there is no such file", "encoder", "GEMINI_API_KEY"):
        assert any(part in problem for problem in told.value.problems), part
    assert not (tmp_path / "out").exists()


def test_a_finished_stage_asks_for_no_key_because_of_another_problem(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path))
    recipe = pages_recipe(tmp_path, sources=[str(tmp_path / "gone")], llm=LLM, cache=str(tmp_path / "cache"))
    with pytest.raises(PreflightError) as told:
        check(recipe_from(recipe), until="filter")
    assert not any("GEMINI_API_KEY" in problem for problem in told.value.problems)


def test_what_a_run_killed_at_its_start_left_is_no_foreign_file(tmp_path: Path) -> None:
    recipe = pages_recipe(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recipe.yaml.0123.tmp").touch()
    (tmp_path / "out" / ".oreline-0123").touch()
    assert check(recipe_from(recipe))
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(PreflightError, match="holds files that oreline did not write"):
        check(recipe_from(recipe))
