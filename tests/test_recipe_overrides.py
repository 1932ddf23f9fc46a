"""`--set a.b=value`."""

import pytest

from oreline.errors import RecipeError
from oreline.recipe.loading import recipe_from
from oreline.recipe.settings import MarginCeiling, Recipe

BASE: dict[str, object] = {"output": "out", "sources": ["docs", {"path": "more", "dataset": "more"}]}


def made(*overrides: str) -> Recipe:
    return recipe_from(BASE, overrides).recipe


def problem(*overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        recipe_from(BASE, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_values_are_yaml() -> None:
    recipe = made(
        "select.negatives=8",
        "dedup.enabled=false",
        "dedup.threshold=1e-1",
        "synthesize.writers=[extractive/title]",
        "select.near_equal=null",
        "output=out/other",
        "llm={provider: gemini, model: m}",
        "llm.base_url=http://localhost:8000/v1?a=b",
    )
    assert recipe.select.negatives == 8
    assert recipe.dedup.enabled is False
    assert recipe.dedup.threshold == pytest.approx(0.1)
    assert recipe.synthesize.writers == ["extractive/title"]
    assert recipe.select.near_equal is None
    assert recipe.output == "out/other"
    assert recipe.llm is not None
    assert recipe.llm.base_url == "http://localhost:8000/v1?a=b"


def test_a_source_is_named_by_its_number_even_where_it_is_a_bare_path() -> None:
    recipe = made("sources.0.path=handbook", "sources.0.limit=10", "sources.1=third")
    assert (recipe.sources[0].path, recipe.sources[0].limit, recipe.sources[1].path) == ("handbook", 10, "third")


def test_all_sources_may_be_replaced() -> None:
    assert [source.path for source in made("sources=[a, b, {path: c}]").sources] == ["a", "b", "c"]


def test_sections_that_are_not_written_are_made() -> None:
    assert made("select.ceiling.margin=0.1").select.ceiling == MarginCeiling(margin=0.1)


def test_the_last_of_two_holds() -> None:
    assert made("seed=1", "seed=2").seed == 2


def test_an_unknown_key_is_named_with_the_nearest() -> None:
    assert problem("select.windw=[1, 2]") == (
        '--set select.windw=[1, 2]: select.windw: no such key; did you mean "window"?'
    )


def test_a_wrong_value_is_told_with_the_override() -> None:
    assert problem("select.negatives=many") == (
        "--set select.negatives=many: select.negatives: found the text 'many'; expected a whole number of 0 or more"
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sources.2.path=x", "--set sources.2.path=x: sources has 2 entries, counted from 0; there is no number 2"),
        ("sources.docs.path=x", "sources is a list of 2 entries; name one by its number, counted from 0, not 'docs'"),
        ("output.path=x", "--set output.path=x: output is 'out', so nothing can be set inside it"),
        ("output.path.more=x", "output is 'out', so nothing can be set inside it"),
        ("select", "--set select: expected KEY=VALUE, for example --set select.negatives=8"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("select..pick=random", "expected KEY=VALUE"),
        ("select.window=[1", "--set select.window=[1: no valid YAML"),
        ("select.pick=!!python/name:os.system x", "has no meaning here"),
    ],
)
def test_what_cannot_be_set_is_told(override: str, message: str) -> None:
    assert message in problem(override)


def test_bad_overrides_are_told_together_with_other_problems() -> None:
    assert len(problem("sources.9.path=x", "seed=a", "nothing").splitlines()) == 3
