"""The judge's settings: contradictions are errors before anything is spent, what is unused changes nothing."""

from pathlib import Path

import pytest

from oreline.judging.telling import problems
from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Judge
from oreline.stages.catalog import BY_NAME, judge_skipped

from house import recipe_for

HEAD = "output: out\nsources: [docs/]\n"
LLM = "llm: {model: gemini-3.5-flash-lite}\n"


def told(tmp_path: Path, judge: str, head: str = HEAD + LLM) -> list[str]:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{head}judge: {judge}\n")
    return check_recipe(load_recipe(str(path)))


@pytest.mark.parametrize(
    ("judge", "problem"),
    [
        ("{scorers: [listwise, graded, listwise]}", "listwise stands there twice"),
        ("{scorers: [listwise, cross_encoder]}", "add judge.cross_encoder: {model:"),
        ("{cross_encoder: {model: m}}", "it is not among judge.scorers"),
        ("{scorers: [likelihood]}", "likelihood states no verdicts"),
        ("{scorers: [likelihood, cross_encoder], cross_encoder: {model: m}}", "set judge.cross_encoder.relevant_from"),
        (
            "{scorers: [listwise, cross_encoder], cross_encoder: {model: m, partly_from: 0.5}}",
            "it needs relevant_from beside it",
        ),
        (
            "{scorers: [cross_encoder], cross_encoder: {model: m, relevant_from: 0.5, partly_from: 0.5}}",
            "no document would be partly relevant",
        ),
        ("{scorers: [cross_encoder], cross_encoder: {model: ' ', relevant_from: 0.5}}", "the model has no name"),
        (
            "{scorers: [cross_encoder], cross_encoder: {model: m, relevant_from: 0.5, server: 'localhost:80'}}",
            "expected an address such as",
        ),
        (
            "{scorers: [cross_encoder], cross_encoder: {model: m, relevant_from: 0.5, server: 'http://me:pw@host'}}",
            "without user, password and query",
        ),
        (
            "{scorers: [cross_encoder], cross_encoder: {model: m, relevant_from: 0.5, key_variable: KEY}}",
            "it is for a server",
        ),
        (
            "{scorers: [listwise, cross_encoder], cross_encoder: {model: m, server: 'http://h', key_variable: k-1}}",
            "never a key itself",
        ),
        ("{cascade: {llm: {model: gemini-3.5-flash-lite}}}", "it is the model that was asked at first"),
        ("{cascade: {llm: {model: strong, base_url: 'http://h'}}}", "judge.cascade.llm.server"),
    ],
)
def test_a_contradiction_is_an_error_that_names_its_key(tmp_path: Path, judge: str, problem: str) -> None:
    (found,) = told(tmp_path, judge)
    assert problem in found
    assert "recipe.yaml:" in found


def test_a_scorer_that_needs_a_model_beside_one_that_does_not_is_no_silent_skip(tmp_path: Path) -> None:
    judge = "{scorers: [graded, cross_encoder], cross_encoder: {model: m, relevant_from: 0.5}}"
    (found,) = told(tmp_path, judge, HEAD)
    assert "graded need a model, but the recipe has no llm" in found


@pytest.mark.parametrize(
    "judge",
    [
        "{}",
        "{scorers: [graded, likelihood]}",
        "{scorers: [listwise, cross_encoder], cross_encoder: {model: m}}",
        "{scorers: [cross_encoder], cross_encoder: {model: m, relevant_from: 0.5, partly_from: -1}}",
        "{cascade: {llm: {model: strong}, ask_again: partly, scorer: graded}}",
        "{enabled: false, scorers: [likelihood]}",
    ],
)
def test_what_fits_together_is_taken(tmp_path: Path, judge: str) -> None:
    assert told(tmp_path, judge) == []


def test_judge_runs_without_an_llm_only_where_no_scorer_asks_one() -> None:
    measured = {"model": "m", "relevant_from": 0.5}
    assert judge_skipped(recipe_for(Path("o"))) == "no llm in the recipe"
    assert judge_skipped(recipe_for(Path("o"), judge={"scorers": ["cross_encoder"], "cross_encoder": measured})) is None


def test_exact_likelihoods_of_a_model_that_has_none_are_refused() -> None:
    judge = {"scorers": ["graded", "likelihood"], "likelihood": {"source": "exact"}}
    (found,) = problems(recipe_for(Path("o"), llm={"model": "gemini-3.5-flash-lite"}, judge=judge))
    assert found.startswith("judge.likelihood.source is exact, but gemini gemini-3.5-flash-lite gives no")
    own = {"provider": "openai", "model": "m", "base_url": "http://h/v1", "server": "vllm"}
    assert list(problems(recipe_for(Path("o"), llm=own, judge=judge))) == []


def test_a_cross_encoder_that_is_not_there_is_named() -> None:
    judge = {"scorers": ["cross_encoder"], "cross_encoder": {"model": "./nowhere", "relevant_from": 0.5}}
    (found,) = problems(recipe_for(Path("o"), judge=judge))
    assert found == "judge.cross_encoder.model: there is no folder ./nowhere"


def test_sections_that_no_scorer_uses_enter_no_fingerprint_and_addresses_never_do() -> None:
    keys = BY_NAME["judge"].keys
    llm = {"model": "gemini-3.5-flash-lite"}
    plain = recipe_for(Path("o"), llm=llm)
    assert keys(plain) == keys(recipe_for(Path("o"), llm=llm, judge={"likelihood": {"of": "query"}}))
    measured = {"model": "m", "relevant_from": 0.5}
    scorers = ["listwise", "cross_encoder"]
    here = keys(recipe_for(Path("o"), llm=llm, judge={"scorers": scorers, "cross_encoder": measured}))
    served = [
        keys(
            recipe_for(Path("o"), llm=llm, judge={"scorers": scorers, "cross_encoder": {**measured, "server": address}})
        )
        for address in ("http://one", "http://two")
    ]
    assert here != served[0] == served[1]


def test_the_strong_judge_asks_as_the_first_grading_scorer_does() -> None:
    assert Judge().strong == "listwise"
    assert Judge(scorers=["likelihood", "graded", "listwise"]).strong == "graded"
    assert Judge(scorers=["cross_encoder"]).strong == "listwise"
