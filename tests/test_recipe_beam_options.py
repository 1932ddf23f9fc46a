"""Beam options given to a run."""

import pytest

from oreline.recipe.beam_options import check_beam_options


def test_known_options_pass() -> None:
    assert (
        check_beam_options(["--temp_location", "gs://b/t", "--direct_runner_bundle_repeat=1", "--save_main_session"])
        == []
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--temp_locatoin=gs://b"],
            'Beam option --temp_locatoin: there is no such option; did you mean "--temp_location"?',
        ),
        (["--zzz"], "Beam option --zzz: there is no such option"),
        (["--runner=DirectRunner"], "Beam option --runner: the recipe says where it runs: --set beam.runner=local"),
        (["--direct_num_workers=2"], "--set beam.workers=4"),
        (["--num_workers=many"], "Beam options: argument --num_workers: invalid int value: 'many'"),
        (["other.yaml"], "Beam option other.yaml: an option begins with --; found a bare word"),
    ],
)
def test_others_are_told(arguments: list[str], message: str) -> None:
    (told,) = check_beam_options(arguments)
    assert message in told
