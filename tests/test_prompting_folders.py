"""A folder of prompts of one's own: what it holds goes before ours, and nothing in it is overlooked."""

from pathlib import Path

import pytest

from oreline.cli import main
from oreline.errors import PreflightError
from oreline.fingerprint import prompts_of
from oreline.preflight import check
from oreline.prompting.folders import folder_problems, our_prompts, source_of
from oreline.recipe.loading import load_recipe

LLM = "llm: {provider: gemini, model: gemini-3.5-flash-lite, base_url: 'http://127.0.0.1:1', server: local}"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "one.md").write_text("# One\n\nBees dance.\n", encoding="utf-8")
    assert main(["init", "--prompts", "mine"]) == 0
    return tmp_path


def recipe(world: Path, *lines: str) -> Path:
    path = world / "recipe.yaml"
    path.write_text("\n".join(["output: out", "sources: [docs/]", LLM, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_prompt_of_the_folder_goes_before_ours_and_ours_stands_in_for_what_it_lacks(world: Path) -> None:
    (world / "mine" / "filter" / "rater.md").unlink()
    assert source_of("mine", "retrieval/fret") == "mine/retrieval/fret.md"
    assert source_of("mine", "filter/rater") == "filter/rater"
    assert source_of("mine", "other/own.md") == "other/own.md"
    assert source_of(None, "retrieval/fret") == "retrieval/fret"


@pytest.mark.parametrize(
    ("stage", "prompt"),
    [("synthesize", "retrieval/fret"), ("filter", "filter/rater"), ("judge", "judge/listwise")],
)
def test_every_stage_renders_the_folders_prompt_and_its_fingerprint_knows(world: Path, stage: str, prompt: str) -> None:
    loaded = load_recipe(str(recipe(world, "prompts: mine")))
    before = {each.id: each.digest for each in prompts_of(loaded.recipe, stage)}
    own = world / "mine" / f"{prompt}.md"
    own.write_text(own.read_text(encoding="utf-8").replace("<!-- user -->", "Be brief.\n<!-- user -->"))
    changed = {each.id: (each.source, each.digest) for each in prompts_of(loaded.recipe, stage)}
    assert changed[prompt][0] == f"mine/{prompt}.md"
    assert changed[prompt][1] != before[prompt]


def test_a_misspelt_file_a_missing_folder_and_an_empty_one_are_named(world: Path) -> None:
    (world / "mine" / "retrieval" / "fret.md").rename(world / "mine" / "retrieval" / "frett.md")
    (told,) = folder_problems("mine", ())
    assert told.startswith("mine/retrieval/frett.md: no prompt of ours has this name")
    assert "did you mean retrieval/fret.md?" in told
    assert list(folder_problems("mine", ["mine/retrieval/frett.md"])) == []
    (world / "nothing").mkdir()
    assert "holds no prompt" in next(folder_problems("nothing", ()))
    with pytest.raises(PreflightError, match="oreline init --prompts nowhere"):
        check(load_recipe(str(recipe(world, "prompts: nowhere"))), access=False)


def test_the_names_of_our_prompts_are_those_of_their_files() -> None:
    assert {"retrieval/fret", "filter/rater", "judge/listwise"} <= set(our_prompts())
