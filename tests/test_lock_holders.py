"""One writer at a time, and the second one learns who the first one is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from oreline.errors import LockedError
from oreline.lock import hold

HOLD_AND_WAIT = """
import sys
from oreline.lock import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder_of(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_AND_WAIT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with holder_of(tmp_path) as process:
        with pytest.raises(LockedError, match=f"process {process.pid} on ") as raised, hold(str(tmp_path)):
            pass
        process.kill()
    assert raised.value.exit_code == 2


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    with holder_of(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    with hold(str(tmp_path)):
        assert str(os.getpid()) in (tmp_path / "_lock").read_text()


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), hold(str(tmp_path)):
        raise RuntimeError("inside")
    with hold(str(tmp_path)):
        assert (tmp_path / "_lock").exists()


def test_a_folder_that_cannot_be_locked_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "_lock").mkdir()
    with pytest.raises(LockedError, match=r"cannot be locked \(Is a directory\)"), hold(str(tmp_path)):
        pass
