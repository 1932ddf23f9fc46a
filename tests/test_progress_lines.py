"""Progress says what is done, how fast, and how long it will take."""

import io
from collections import Counter
from pathlib import Path

import pytest

from oreline.heartbeat import Heartbeat, read_heartbeats
from oreline.job import Job
from oreline.progress import ProgressLine, duration, progress_text

from house import recipe_for


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_states_count_rate_and_time_left() -> None:
    text = progress_text("mine", Counter({"units": 500, "tokens": 12_000}), 2_000, 10.0)
    assert text == "mine: 500 of 2,000, 50/s, about 30 s left, 12,000 tokens"


def test_without_a_total_no_end_is_promised() -> None:
    assert progress_text("ingest", Counter({"units": 30}), None, 60.0) == "ingest: 30, 0.5/s"


@pytest.mark.parametrize(("seconds", "text"), [(5.4, "5 s"), (200, "3 min 20 s"), (7_500, "2 h 05 min")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_off_a_terminal_a_line_comes_every_few_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, "mine", 100, clock)
    for clock.now in (1.0, 2.0, 5.0, 6.0, 10.0):
        line.draw(Counter({"units": int(clock.now)}))
    assert stream.getvalue().splitlines() == [
        "mine: 5 of 100, 1.0/s, about 1 min 35 s left",
        "mine: 10 of 100, 1.0/s, about 1 min 30 s left",
    ]


def test_on_a_terminal_the_line_is_drawn_over() -> None:
    stream, clock = Terminal(), Clock()
    line = ProgressLine(stream, "mine", None, clock)
    clock.now = 1.0
    line.draw(Counter({"units": 1000}))
    line.finish("mine: done")
    assert stream.getvalue() == "\rmine: 1,000, 1,000/s\r" + "mine: done".ljust(len("mine: 1,000, 1,000/s")) + "\n"


def test_heartbeats_of_all_workers_are_summed(tmp_path: Path) -> None:
    job = Job(str(tmp_path), "mine", recipe_for(tmp_path), {})
    for _ in range(2):
        beat = Heartbeat(job)
        beat.add(3)
        beat.add(2, "tokens")
        beat.flush()
    assert read_heartbeats(str(tmp_path), "mine") == Counter({"units": 6, "tokens": 4})


def test_a_heartbeat_is_written_at_most_once_a_second(tmp_path: Path) -> None:
    job, clock = Job(str(tmp_path), "mine", recipe_for(tmp_path), {}), Clock()
    beat = Heartbeat(job, clock)
    beat.add(1)
    clock.now = 0.5
    beat.add(1)
    assert read_heartbeats(str(tmp_path), "mine")["units"] == 1
    clock.now = 1.5
    beat.add(1)
    assert read_heartbeats(str(tmp_path), "mine")["units"] == 3
