"""The recipes in examples/ can be read and hold no contradiction."""

from pathlib import Path

import pytest

from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import load_recipe

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))


def test_there_are_examples() -> None:
    assert "demo.yaml" in [path.name for path in EXAMPLES]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_recipe_without_contradictions(path: Path) -> None:
    assert check_recipe(load_recipe(str(path))) == []
