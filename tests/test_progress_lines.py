"""Progress says what is done, how fast, and how long it will take."""

import io
from collections import Counter
from pathlib import Path

import pytest

from oreline.heartbeat import Heartbeat, read_heartbeats
from oreline.job import Job
from oreline.progress import ProgressLine, Purse, duration, progress_text

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
    text = progress_text("mine", Counter({"units": 500, "tokens": 12_000}), 2_000, 50.0)
    assert text == "mine: 500 of 2,000, 50/s, about 30 s left, 12,000 tokens"


def test_without_a_total_no_end_is_promised() -> None:
    assert progress_text("ingest", Counter({"units": 30}), None, 0.5) == "ingest: 30, 0.5/s"


def test_where_a_model_is_asked_requests_tokens_and_money_are_told() -> None:
    purse = Purse(5.0, None, 0.25, 200_000)
    counts = Counter({"rendered": 5_000})
    assert progress_text("judge", counts, 40, 0.0, purse) == (
        "judge: 5,000 requests to make, 200,000 tokens, 0.25 of 5.00 dollars spent"
    )
    counts.update(requests=1_234, tokens=1_000_000, microdollars=180_400)
    assert progress_text("judge", counts, 40, 310.0, purse) == (
        "judge: 1,234 of 5,000, 310/s, about 12 s left, 1.2 M tokens, 0.43 of 5.00 dollars"
    )
    assert Purse(None, 2_000_000).text(counts) == "1.0 M of 2.0 M tokens, 0.18 dollars"
    assert Purse(None, 2_000_000).text(Counter(tokens=5)) == "5 of 2.0 M tokens"


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, "judge", None, clock, Purse())
    for clock.now, done in ((1.0, 9_000), (20.0, 9_000), (40.0, 9_200), (60.0, 9_400)):
        line.draw(Counter({"rendered": 10_000, "requests": done}))
    assert stream.getvalue().splitlines()[-1].startswith("judge: 9,400 of 10,000, 10/s, about 1 min 00 s left, ")


def test_a_stage_of_whose_workers_nothing_is_heard_says_so_and_for_how_long(caplog: pytest.LogCaptureFixture) -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, "judge", None, clock)
    for clock.now, done in ((10.0, 5), (100.0, 5), (304.0, 5), (310.0, 5), (380.0, 5), (385.0, 6)):
        line.draw(Counter(units=done))
    silent = [text.partition("; ")[2] for text in stream.getvalue().splitlines()]
    told = "no worker was heard of for {}: Ctrl-C stops it, and the same command goes on from there"
    assert silent == ["", "", "", told.format("5 min 00 s"), told.format("6 min 10 s"), ""]
    assert [record.getMessage() for record in caplog.records] == [
        "judge: no worker was heard of for 5 min 00 s; if they use no processor, they hang"
    ]


def test_a_disk_that_takes_no_progress_stops_no_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "_progress").write_text("a file where a folder should be")
    with caplog.at_level("WARNING"):
        Heartbeat(Job(str(tmp_path), "mine", recipe_for(tmp_path), {})).add(1)
    assert "no progress is shown" in caplog.text


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
