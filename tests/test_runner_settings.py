"""What a run changes in its process: Beam's samples, the interpreter's turns. Afterwards all is as before."""

import gc
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from apache_beam.runners.worker.statesampler import DEFAULT_SAMPLING_PERIOD_MS, StateSampler
from apache_beam.utils.counters import CounterFactory

from oreline.runner import frequent_samples, old_objects_left_alone, quick_turns


def sampling_period() -> int:
    """Milliseconds between two looks of a sampler as Beam makes it for a bundle."""
    return int(StateSampler("a bundle", CounterFactory()).sampling_period_ms)


def test_beam_looks_often_during_a_run_and_as_it_used_to_after_it() -> None:
    with frequent_samples():
        assert sampling_period() < 20 < DEFAULT_SAMPLING_PERIOD_MS
    assert sampling_period() == DEFAULT_SAMPLING_PERIOD_MS


def test_turns_are_quick_where_they_are_asked_for() -> None:
    before = sys.getswitchinterval()
    with quick_turns(on=True):
        assert sys.getswitchinterval() < before
    with quick_turns(on=False):
        assert sys.getswitchinterval() == before
    assert sys.getswitchinterval() == before


def test_cycles_are_looked_for_less_often_during_a_run() -> None:
    before = gc.get_threshold()
    with old_objects_left_alone():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before


CHANGES = {"samples": frequent_samples, "turns": lambda: quick_turns(on=True), "cycles": old_objects_left_alone}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_two_runs_of_which_the_first_ends_first_leave_all_as_it_was(
    change: Callable[[], AbstractContextManager[None]],
) -> None:
    before = (sampling_period(), sys.getswitchinterval(), gc.get_threshold())
    first, second = change(), change()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert (sampling_period(), sys.getswitchinterval(), gc.get_threshold()) == before
