"""Parameters of banding: those that cannot find what the threshold asks for are refused."""

import re

import pytest
from datasketch import MinHashLSH

from oreline.errors import RecipeError
from oreline.minhash.parameters import Parameters, recall
from oreline.recipe.settings import Dedup
from oreline.recipe.settings.presets import PresetName


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
    with pytest.raises(RecipeError, match="24,000 values, but a signature has at most 16,384"):
        Parameters.of(Dedup(bands=3000, rows=8))


def test_bands_and_rows_beyond_the_permutations_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"bands x dedup\.rows is 112, but dedup\.permutations is 100; .*: 112"):
        Parameters.of(Dedup(permutations=100))


def test_one_of_bands_and_rows_alone_is_refused() -> None:
    with pytest.raises(RecipeError, match="go together"):
        Parameters.of(Dedup(rows=None))


@pytest.mark.parametrize(("threshold", "permutations"), [(0.5, 128), (0.8, 128), (0.8, 256)])
def test_bands_and_rows_are_chosen_by_datasketchs_optimiser(threshold: float, permutations: int) -> None:
    found = Parameters.of(Dedup(threshold=threshold, bands=None, rows=None, permutations=permutations))
    index = MinHashLSH(threshold=threshold, num_perm=permutations)
    assert (found.bands, found.rows, found.permutations) == (index.b, index.r, permutations)


def test_a_threshold_that_the_optimiser_has_no_bands_for_is_refused_with_a_remedy() -> None:
    with pytest.raises(RecipeError, match=r"for threshold 1\.0 and 64 permutations .*; give bands and rows"):
        Parameters.of(Dedup(threshold=1.0, bands=None, rows=None, permutations=64))


@pytest.mark.parametrize(
    ("preset", "bands", "rows", "ngram", "expected"),
    # The probabilities at 0.7, 0.75, 0.8, 0.85 that the papers' settings give.
    [
        ("fineweb", 14, 8, 5, (0.56, 0.77, 0.92, 0.988)),
        ("dclm", 93, 15, 5, (0.36, 0.71, 0.96, 1.0)),
        ("lee", 450, 20, 5, (0.30, 0.76, 0.995, 1.0)),
        ("slimpajama", 16, 8, 13, (0.61, 0.82, 0.95, 0.994)),
    ],
)
def test_presets_are_those_of_their_papers(
    preset: PresetName, bands: int, rows: int, ngram: int, expected: tuple[float, ...]
) -> None:
    found = Parameters.of(Dedup(preset=preset))
    assert (found.bands, found.rows, found.ngram) == (bands, rows, ngram)
    for similarity, share in zip((0.7, 0.75, 0.8, 0.85), expected, strict=True):
        assert found.recall(similarity) == pytest.approx(share, abs=0.006)


def test_what_the_recipe_gives_stays_beside_a_preset() -> None:
    settings = Dedup(preset="lee", ngram=7, verify="none")
    assert (settings.ngram, settings.verify, settings.bands) == (7, "none", 450)
    assert Dedup.model_validate(settings.model_dump()) == settings


def test_the_s_curve_is_told_and_a_low_one_warned_about() -> None:
    told, forms = Parameters.of(Dedup()).told()
    assert "14 bands x 8 rows over word 5-grams, threshold 0.8" in told
    assert "0.75: 0.772, 0.8: 0.924" in told
    assert "text: NFKC, case folded" in forms
    assert "code: NFC" in forms
    assert list(Parameters.of(Dedup()).warned()) == [], "a run prints no more than the warning"
    *_, warning = Parameters.of(Dedup(threshold=0.75)).told()
    assert list(Parameters.of(Dedup(threshold=0.75)).warned()) == [warning]
    assert "warning: only 77% of the pairs at dedup.threshold 0.75 become candidates; bands:" in warning


def test_manifests_state_the_normal_form_the_banding_and_the_curve() -> None:
    facts = Parameters.of(Dedup()).facts()
    assert "NFKC" in str(facts["signing"])
    assert facts["recall_at_threshold"] == pytest.approx(0.924, abs=0.001)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep": "highest_score"}, "dedup.score is missing"),
        ({"score": "stars"}, "set keep: highest_score"),
    ],
)
def test_a_score_and_the_rule_that_reads_it_go_together(settings: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Parameters.of(Dedup.model_validate(settings))
