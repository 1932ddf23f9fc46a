"""Worker processes that die: the run ends with a message that says so, and does not wait for them."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from asking_house import Asking
from oreline.errors import StageFailed
from oreline.workers import watched

from gemini_server import GeminiServer

BLOCKS = ["Rivers run to the sea.\nMountains stand still.", "Bread is baked from flour."]


@pytest.fixture
def broken_beam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes every new Python process fail as it imports Beam; returns what it says."""
    folder = tmp_path / "broken"
    folder.mkdir()
    told = "ImportError: libbroken.so.7 cannot be opened"
    (folder / "apache_beam.py").write_text("raise ImportError('libbroken.so.7 cannot be opened')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return told


def test_a_worker_that_dies_before_it_connects_ends_the_run_with_its_last_words(
    tmp_path: Path, gemini_server: GeminiServer, broken_beam: str
) -> None:
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"workers": 2})
    with pytest.raises(StageFailed) as caught:
        asking.run("--direct_num_workers=2")
    assert "a worker process ended with exit code 1 before the stage was done" in str(caught.value)
    logs = f"{asking.job.output}/_progress/synthesize.workers"
    assert re.search(rf"{re.escape(logs)}/worker_\d+\.log, ends with: {re.escape(broken_beam)}$", str(caught.value))
    assert not gemini_server.calls


def test_the_command_notes_a_death_and_nothing_else(tmp_path: Path, broken_beam: str) -> None:
    with watched(str(tmp_path / "logs of workers")) as workers:
        workers.check()
        assert workers.told() is None
        environment = {**os.environ, "WORKER_ID": "worker_7"}
        assert subprocess.run(workers.command(), shell=True, check=False, env=environment).returncode == 0
        assert [each.name for each in workers.folder.iterdir()] == ["died-worker_7"]
        workers.check()
        assert broken_beam in (workers.told() or "")


def test_each_worker_writes_a_log_of_its_own_and_the_dead_ones_is_named(tmp_path: Path, broken_beam: str) -> None:
    logs = tmp_path / "logs"
    with watched(str(logs)) as workers:
        both = ["worker_7", "worker_8"]
        started = [
            subprocess.Popen(workers.command(), shell=True, env={**os.environ, "WORKER_ID": each}) for each in both
        ]
        assert [each.wait() for each in started] == [0, 0]
        assert sorted(each.name for each in logs.iterdir()) == [f"{each}.log" for each in both]
        assert all(each.read_text().splitlines()[-1] == broken_beam for each in logs.iterdir())
        workers.check()
        assert f"its log, {logs}/worker_7.log, ends with: {broken_beam}" in (workers.told() or "")


def test_a_log_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    (tmp_path / "worker_1.log").write_text("old words\n")
    with watched(str(tmp_path)) as workers:
        (workers.folder / "died-worker_1").write_text("137 \n")
        workers.check()
        assert workers.told() == (
            "a worker process ended with exit code 137 before the stage was done; "
            f"it left no log at {tmp_path}/worker_1.log"
        )


def test_a_worker_that_wrote_nothing_before_it_died_is_told_as_such(tmp_path: Path) -> None:
    with watched(str(tmp_path)) as workers:
        (tmp_path / "worker_1.log").write_text("")
        (workers.folder / "died-worker_1").write_text("137 \n")
        workers.check()
        assert workers.told() == (
            "a worker process ended with exit code 137 before the stage was done; "
            f"its log, {tmp_path}/worker_1.log, is empty"
        )
