"""A plan says what would run and why, and does nothing."""

from pathlib import Path

import pytest

from oreline.errors import CallError, PreflightError
from oreline.planning import chosen_stages, plan_stages
from oreline.preflight import check
from oreline.recipe.loading import recipe_from
from oreline.running import run
from oreline.stages.catalog import STAGES


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, object]:
    """Returns a recipe over three pages, without a model and without negatives, so that nothing heavy runs."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for name in ("pump", "valve", "tank"):
        (folder / f"{name}.md").write_text(
            f"# The {name}\n\nThe {name} stands in the hall and is served by the crew. " * 6
        )
    return {"output": str(tmp_path / "out"), "sources": [str(folder)], "select": {"negatives": 0}}


def statuses(recipe: dict[str, object]) -> dict[str, str]:
    return {each.stage.name: each.status for each in plan_stages(recipe_from(recipe).recipe)}


def test_at_first_every_stage_runs_but_those_that_are_skipped(recipe: dict[str, object], tmp_path: Path) -> None:
    skipped = {"embed", "mine", "judge"}
    assert statuses(recipe) == {each.name: "skipped" if each.name in skipped else "run" for each in STAGES}
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_told_from_what_would_run(recipe: dict[str, object]) -> None:
    run(recipe, until="dedup")
    plan = plan_stages(recipe_from(recipe).recipe)
    assert [each.stage.name for each in plan if each.status == "finished"] == ["ingest", "dedup"]
    assert next(each.units for each in plan if each.stage.name == "synthesize") == 3


def test_a_changed_key_names_itself_and_what_follows_depends_on_it(recipe: dict[str, object]) -> None:
    run(recipe)
    changed = recipe_from({**recipe, "dedup": {"threshold": 0.9}}).recipe
    plan = {each.stage.name: each for each in plan_stages(changed)}
    assert (plan["ingest"].status, plan["dedup"].status, plan["dedup"].cause) == ("finished", "run", "changed: keys")
    assert plan["export"].status == "depends"


def test_operational_keys_change_no_fingerprint(recipe: dict[str, object]) -> None:
    run(recipe)
    plan = statuses({**recipe, "beam": {"workers": 2}, "cache": f"{recipe['output']}-cache"})
    assert set(plan.values()) == {"finished", "skipped"}


def test_all_problems_are_told_at_once(
    recipe: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    (tmp_path / "file").touch()
    wrong = {**recipe, "sources": [str(tmp_path / "nowhere")], "output": str(tmp_path / "file" / "out")}
    with pytest.raises(PreflightError) as raised:
        check(recipe_from(wrong))
    assert len(raised.value.problems) >= 2
    assert "nowhere" in str(raised.value)
    assert "output" in str(raised.value)


def test_a_stage_that_is_not_there_and_two_limits_are_refused() -> None:
    with pytest.raises(CallError, match="there is no stage 'minee'"):
        chosen_stages("minee", None)
    with pytest.raises(CallError, match="exclude each other"):
        chosen_stages("mine", "mine")


def test_one_stage_alone_needs_those_before_it(recipe: dict[str, object]) -> None:
    with pytest.raises(CallError, match="run it first"):
        run(recipe, only="filter")
