"""The recipe as run."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.recipe.checks import check_recipe
from oreline.recipe.document import parse_document
from oreline.recipe.loading import dump_recipe, load_recipe, recipe_from
from oreline.recipe.verdicts import needing_verdicts

LLM = {"provider": "gemini", "model": "m"}
BASE: dict[str, object] = {"output": "out", "sources": ["docs"]}


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"llm": LLM},
        {"llm": LLM, "select": {"siblings": "exclude", "ceiling": "none", "near_equal": None}},
        {"select": {"negatives": 0, "ceiling": {"margin": 0.1}}, "filter": {"rater": None}},
        {"sources": [{"path": "no", "dataset": "012", "instruction": "on: a\nnew \u2028 line", "lang": "no"}]},
        {"beam": {"stages": {"embed": {"workers": 2, "options": ["--x=1"]}}}, "mine": {"within": ["docs"]}},
    ],
)
def test_a_dumped_recipe_reads_back_as_an_equal_one(tmp_path: Path, sections: dict[str, object]) -> None:
    recipe = recipe_from(BASE | sections).recipe
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(str(path)).recipe == recipe


@given(st.text(min_size=1, max_size=30, alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
@settings(max_examples=25, deadline=None)
def test_any_printable_text_survives(text: str) -> None:
    recipe = recipe_from(BASE | {"sources": [{"path": text, "dataset": "d"}]}).recipe
    value = parse_document(dump_recipe(recipe), "x").value
    assert recipe_from(value).recipe == recipe


def test_all_defaults_are_filled_in() -> None:
    text = dump_recipe(recipe_from(BASE | {"llm": LLM}).recipe)
    assert "percent_of_positive: 0.95" in text
    assert "siblings: judge" in text


def test_what_is_off_without_a_judge_is_left_out_and_named() -> None:
    recipe = recipe_from(BASE).recipe
    text = dump_recipe(recipe)
    assert "siblings:" not in text
    assert "# Off, as judge is skipped (no llm in the recipe): " + ", ".join(sorted(needing_verdicts(recipe))) in text


def test_a_recipe_as_run_can_be_run(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(recipe_from(BASE).recipe), encoding="utf-8")
    assert check_recipe(load_recipe(str(path))) == []
