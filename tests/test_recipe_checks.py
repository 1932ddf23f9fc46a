"""Contradictions that types cannot show."""

from pathlib import Path

import pytest

from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import load_recipe, recipe_from

BASE: dict[str, object] = {"output": "out", "sources": ["docs"]}
LLM: dict[str, object] = {"provider": "gemini", "model": "m"}
JUDGED = BASE | {"llm": LLM}


def problems(recipe: dict[str, object], *overrides: str) -> list[str]:
    return check_recipe(recipe_from(recipe, overrides))


def test_the_smallest_recipes_have_no_problem() -> None:
    assert problems(BASE) == []
    assert problems(JUDGED) == []


def test_two_sources_with_one_dataset_name_are_told_apart_by_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("output: out\nsources:\n  - a/docs\n  - {path: b/docs}\n", encoding="utf-8")
    (told,) = check_recipe(load_recipe(str(path)))
    assert told == (
        f'{path}:4:5: sources.1: the dataset name "docs" is also that of sources.0, and ids would meet; give this one '
        "a name of its own: {path: b/docs, dataset: docs-2}"
    )
    assert problems({"output": "out", "sources": ["a/docs", {"path": "b/docs", "dataset": "more"}]}) == []


def test_an_llm_writer_without_llm_is_an_error_with_two_remedies() -> None:
    (told,) = problems(BASE, "synthesize.writers=[extractive/title, retrieval/fret]")
    assert told.startswith(
        "--set synthesize.writers=[extractive/title, retrieval/fret]: synthesize.writers.1: the writer retrieval/fret "
        "asks a model, but the recipe has no llm; add llm: {provider: gemini, model: ...}, or write with extractive/"
    )
    assert problems(BASE, "synthesize.writers=[retrieval/fret]", "synthesize.llm={provider: gemini, model: m}") == []
    assert len(problems(BASE, "synthesize.writers=[my-prompt.md]")) == 1


def test_an_unknown_writer_is_named_with_the_nearest() -> None:
    (told,) = problems(BASE, "synthesize.writers=[extractive/titel]")
    assert "there is no writer 'extractive/titel'; did you mean \"extractive/title\"?" in told


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("select.siblings=judge", "exclude or allow"),
        ("select.pick=lowest_ranked", "random or hardest"),
        ("select.gates.positive_grade=2", "0"),
        ("select.relabel.synthetic=best", "keep"),
        ("select.relabel.human=add", "keep"),
        ("select.relabel.extractive=best", "keep"),
        ("select.false_negatives.action=drop_row", "drop_negative"),
        ("select.false_negatives.most=3", "null"),
        ("select.false_negatives.given=true", "false"),
    ],
)
def test_what_needs_verdicts_is_an_error_if_written_while_judge_is_skipped(override: str, remedy: str) -> None:
    key = override.partition("=")[0]
    (told,) = problems(BASE, override)
    assert told == (
        f"--set {override}: {key}: it needs a judge's verdicts, but judge is skipped (no llm in the recipe); "
        f"leave the key out, or set {remedy}"
    )
    assert problems(JUDGED, override) == []
    assert "judge.enabled is false" in problems(JUDGED, override, "judge.enabled=false")[0]
    assert "select.negatives is 0" in problems(JUDGED, override, "select.negatives=0")[0]


def test_what_needs_no_verdicts_may_be_written_without_a_judge() -> None:
    values = ["select.siblings=allow", "select.gates.positive_grade=0", "select.relabel.synthetic=keep"]
    assert problems(BASE, *values) == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("select.window=[5, 2]", "select.window: it ends (2) before it begins (5); write [2, 5]"),
        ("select.window=[500, 600]", "it begins at rank 500, but mine finds no more than 120 documents per query"),
        ("filter.min_words=200", "filter.min_words (200) is more than filter.max_words (120), so no query would pass"),
        ("dedup.bands=4000", "dedup.bands: bands x rows are 32000 permutations per document; expected at most 16384"),
        ("sources.0.path=''", "sources.0.path: the path is empty; name a file, a folder or a glob"),
        ("output=' '", "output: the folder has no name"),
        ("filter={duplicates: keep, near_queries: {ngram: 2}}", "filter.duplicates is keep, so near queries are not"),
        ("filter.caps.choose=rating", "filter.caps.choose: there is no cap to choose by; add filter.caps.per_document"),
        ("filter.near_queries.bands=null", "filter.near_queries.bands: bands and rows go together: give both, or set"),
        ("filter.near_queries.rows=2000", "bands x rows are 32,000 values per query; expected at most"),
        (
            "filter.near_pairs={threshold: 0.5, rows: 10}",
            "16 bands of 10 rows find only 2% of the queries at threshold",
        ),
        (
            "select={negatives: 0, near_queries: {}}",
            "select.near_queries: it compares the vectors of embed, but embed is",
        ),
        (
            "select={negatives: 0, gates: {score_quantile: {}}}",
            "select.gates.score_quantile: it compares the scores of mine, but mine is",
        ),
        ("select.per_miner={}", "select.per_miner: mine.miners has one miner (dense), so there are no lists to take"),
        ("select.false_negatives.except_datasets=[doc]", "no source has the dataset name 'doc'; did you mean"),
        ("beam.stages={embd: {workers: 2}}", 'there is no such stage; did you mean "embed"?'),
        (
            "mine={miners: [run], runs: {run: {path: x, dataset: doc}}}",
            "mine.runs.run.dataset: no source has the dataset name 'doc'; did you mean \"docs\"?",
        ),
        ("mine.within=[doc]", "no source has the dataset name 'doc'; did you mean \"docs\"?"),
        ("synthesize.datasets=[other]", "synthesize.datasets.0: no source has the dataset name 'other'; known: docs"),
        (
            "llm={provider: gemini, model: m, base_url: 'http://localhost:1'}",
            "add llm.server, for example server: local",
        ),
        ("judge.llm={provider: gemini, model: m, base_url: 'http://localhost:1'}", "add judge.llm.server"),
        ("llm={provider: gemini, model: m, server: s, base_url: localhost}", "expected an address such as http://"),
        (
            "llm={provider: gemini, model: m, server: s, base_url: 'http://u:p@h'}",
            "the address holds a user or password",
        ),
    ],
)
def test_contradictions_are_told_with_what_to_do(override: str, message: str) -> None:
    (told,) = problems(BASE, override)
    assert message in told


def test_a_dataset_to_be_checked_that_no_source_has_is_told() -> None:
    (told,) = problems(JUDGED, "filter.quality={datasets: [doc]}")
    assert "filter.quality.datasets.0: no source has the dataset name 'doc'; did you mean" in told


def test_all_contradictions_are_told_at_once() -> None:
    told = problems(BASE, "select.window=[5, 2]", "synthesize.writers=[retrieval/fret]", "select.siblings=judge")
    assert len(told) == 3


def test_more_negatives_than_the_default_window_holds_need_a_window(tmp_path: Path) -> None:
    recipe = {"output": str(tmp_path / "out"), "sources": [str(tmp_path)], "select": {"negatives": 12}}
    assert any("write a window, such as [1, 24]" in each for each in check_recipe(recipe_from(recipe)))
    recipe["select"] = {"negatives": 12, "window": [1, 5]}
    assert not any("window" in each for each in check_recipe(recipe_from(recipe)))


def test_datasets_that_writers_make_can_be_searched_alone() -> None:
    writers = "synthesize.writers=[generated/brainstorm,classification/sentiment]"
    assert not problems(JUDGED, writers, "mine.within=[brainstorm-short-long, classification-sentiment, docs]")
    (told,) = problems(JUDGED, writers, "mine.within=[brainstorm-short-lung]")
    assert "'brainstorm-short-lung'; did you mean \"brainstorm-short-long\"?" in told
    (told,) = problems(JUDGED, writers, "synthesize.datasets=[brainstorm-short-long]")
    assert "no source has the dataset name" in told
