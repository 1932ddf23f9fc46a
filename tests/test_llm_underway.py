"""Requests on their way by lane: a lane is read once every answer that was asked for is in the journal."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from oreline.llm.underway import Underway


def test_a_lane_that_nobody_asked_about_needs_no_look_at_the_journal() -> None:
    underway = Underway()
    assert underway.journaled(3)
    assert underway.wait(3, 0.0)


def test_a_lane_is_not_journaled_before_a_flush_that_began_after_its_last_answer() -> None:
    underway = Underway()
    underway.begin(3)
    assert not underway.wait(3, 0.0)
    assert underway.quiet() == {}
    underway.end(3)
    before = underway.quiet()
    underway.begin(3)
    underway.end(3)
    underway.keep(before)
    assert not underway.journaled(3), "the second answer came while the journal was flushed"
    underway.keep(underway.quiet())
    assert underway.journaled(3)
    underway.keep(before)
    assert underway.journaled(3), "an earlier flush may be told later"


def test_whoever_waits_for_a_lane_is_told_when_its_last_request_ends() -> None:
    underway = Underway()
    underway.begin(1)
    underway.begin(1)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(underway.wait(1, 60.0)))
    waiting.start()
    underway.end(1)
    underway.end(1)
    waiting.join()
    assert found == [True]


@given(st.lists(st.tuples(st.sampled_from(["begin", "flush"]), st.integers(0, 3))))
def test_only_lanes_asked_about_since_the_last_flush_are_unsure(steps: list[tuple[str, int]]) -> None:
    underway = Underway()
    unsure: set[int] = set()
    for step, lane in steps:
        if step == "begin":
            underway.begin(lane)
            underway.end(lane)
            unsure.add(lane)
        else:
            underway.keep(underway.quiet())
            unsure.clear()
        assert {each for each in range(4) if not underway.journaled(each)} == unsure
