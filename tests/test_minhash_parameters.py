"""Parameters of banding: those that cannot find what the threshold asks for are refused."""

import re

import pytest

from oreline.errors import RecipeError
from oreline.minhash.parameters import Parameters, recall
from oreline.recipe.settings import Dedup


def test_the_defaults_find_nine_in_ten_pairs_at_the_threshold() -> None:
    parameters = Parameters.of(Dedup())
    assert parameters.recall(0.8) > 0.9
    assert parameters.recall(1.0) == 1.0
    assert parameters.recall(0.3) < 0.01


def test_a_threshold_of_one_is_allowed() -> None:
    assert Parameters.of(Dedup(threshold=1.0)).threshold == 1.0


def test_a_threshold_of_zero_is_refused_with_a_remedy() -> None:
    with pytest.raises(RecipeError, match=r"dedup\.threshold is 0, .*enabled: false"):
        Parameters.of(Dedup(threshold=0.0))


def test_a_banding_that_misses_most_pairs_is_refused_and_a_better_one_named() -> None:
    with pytest.raises(RecipeError, match=r"find only 5% of the pairs") as raised:
        Parameters.of(Dedup(threshold=0.5))
    found = re.search(r"bands: (\d+), rows: (\d+)", str(raised.value))
    assert found is not None
    bands, rows = int(found[1]), int(found[2])
    assert recall(0.5, bands, rows) >= 0.9
    assert Parameters.of(Dedup(threshold=0.5, bands=bands, rows=rows)).bands == bands


def test_signatures_have_a_largest_length() -> None:
    with pytest.raises(RecipeError, match="8,000, but a signature has at most 4,096"):
        Parameters.of(Dedup(bands=1000, rows=8))
