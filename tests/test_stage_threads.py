"""Threads of a step: the same outputs in the same order however many there are, and failures that are not lost."""

import threading
from collections.abc import Iterable, Iterator

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from oreline.stages.routing import Keyed
from oreline.stages.threads import Threaded

ELEMENTS = [(key, [str(key).encode(), b"x"]) for key in range(20)]


def joined(keyed: Keyed, side: Iterable[bytes] = ()) -> Iterator[bytes]:
    yield b"+".join([*keyed[1], *side])
    yield str(keyed[0]).encode()


@given(st.integers(1, 5), st.integers(0, 25))
def test_outputs_are_those_of_the_work_in_order(threads: int, number: int) -> None:
    step = Threaded(joined, threads)
    elements = [(key, [b"a"]) for key in range(number)]
    step.start_bundle()
    found = [each for element in elements for each in step.process(element, [b"s"])]
    found += [each.value for each in step.finish_bundle()]
    assert found == [each for element in elements for each in joined(element, [b"s"])]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_pipeline_gets_them_all(threads: int) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        elements = pipeline | beam.Create(ELEMENTS)
        side = beam.pvalue.AsIter(pipeline | "Side" >> beam.Create([b"side"]))
        found = elements | beam.ParDo(Threaded(joined, threads), side)
        assert_that(found, equal_to([each for element in ELEMENTS for each in joined(element, [b"side"])]))


def test_as_many_elements_are_worked_on_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=30)

    def waiting(keyed: Keyed) -> Iterator[int]:
        together.wait()
        yield keyed[0]

    step = Threaded(waiting, 3)
    step.start_bundle()
    found = [each for element in ELEMENTS[:3] for each in step.process(element)]
    assert sorted([*found, *(each.value for each in step.finish_bundle())]) == [0, 1, 2]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_is_raised_and_the_next_bundle_starts_anew(threads: int) -> None:
    def failing(keyed: Keyed) -> Iterator[int]:
        if keyed[0] == 7:
            raise ValueError("no sevens")
        yield keyed[0]

    def bundle(step: Threaded, elements: list[tuple[int, list[bytes]]]) -> list[object]:
        step.start_bundle()
        found = [each for element in elements for each in step.process(element)]
        return [*found, *(each.value for each in step.finish_bundle())]

    step = Threaded(failing, threads)
    with pytest.raises(ValueError, match="no sevens"):
        bundle(step, ELEMENTS)
    assert bundle(step, ELEMENTS[:5]) == [0, 1, 2, 3, 4]
    step.teardown()
