"""Stops: budget, quota, wrong key, Ctrl-C, a crash. What was answered is kept, and the next run goes on from there."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from asking_house import Asking
from oreline.errors import CallError
from oreline.llm import journal
from oreline.llm.keys import gemini_key

from gemini_server import GeminiServer

LINES = 60
BLOCKS = ["\n".join(f"Document {block}-{line} tells of rivers." for line in range(12)) for block in range(5)]


def journaled(asking: Asking) -> int:
    return sum(len(journal.read_lane(asking.recipe.cache_folder, lane)) for lane in range(256))


def test_a_budget_stops_the_run_and_a_larger_one_goes_on(tmp_path: Path, gemini_server: GeminiServer) -> None:
    short = Asking(tmp_path, gemini_server.url, BLOCKS, {"budget_tokens": 1500, "max_output_tokens": 100})
    report = short.run()
    assert report.stopped == "budget"
    assert report.message is not None
    assert "llm.budget_tokens" in report.message
    spent = report.counts["prompt_tokens"] + report.counts["output_tokens"]
    assert 1200 < spent <= 1500
    paid = report.counts["paid_requests"]
    assert 0 < paid < LINES
    assert journaled(short) == paid
    long = Asking(tmp_path, gemini_server.url, BLOCKS, {"budget_tokens": 100_000, "max_output_tokens": 100})
    report = long.run()
    assert report.stopped is None
    assert report.counts["paid_requests"] == LINES - paid
    assert report.counts["answers"] == LINES
    assert max(gemini_server.calls.values()) == 1


def test_what_a_model_thinks_is_reserved_once_it_is_known(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.thoughts = 5_000
    settings: dict[str, object] = {"budget_tokens": 30_000, "max_output_tokens": 100, "concurrency": 1}
    report = Asking(tmp_path, gemini_server.url, BLOCKS, settings).run()
    assert report.stopped == "budget"
    spent = report.counts["prompt_tokens"] + report.counts["output_tokens"]
    assert 20_000 < spent <= 30_000


def test_a_budget_in_dollars_is_never_overshot(tmp_path: Path, gemini_server: GeminiServer) -> None:
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"budget_usd": 0.002, "max_output_tokens": 200})
    report = asking.run()
    assert report.stopped == "budget"
    assert 0 < report.counts["microdollars"] <= 2000


def test_a_wrong_key_stops_at_once_with_one_message(
    tmp_path: Path, gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "wrong-key-marked-7351")
    asking = Asking(tmp_path, gemini_server.url, BLOCKS)
    report = asking.run()
    assert report.stopped == "key"
    assert report.message is not None
    assert "API key not valid" in report.message
    assert "wrong-key-marked-7351" not in report.message
    assert not gemini_server.answers


def test_a_missing_key_is_a_stop_that_names_both_variables(
    tmp_path: Path, gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    report = Asking(tmp_path, gemini_server.url, BLOCKS).run()
    assert report.stopped == "key"
    assert report.message is not None
    assert "GEMINI_API_KEY or GOOGLE_API_KEY" in report.message


def test_the_days_quota_stops_without_further_calls_and_can_be_resumed(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.fault("quota", "4-11")
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"concurrency": 1})
    report = asking.run()
    assert report.stopped == "quota"
    assert len(gemini_server.calls) < LINES or report.counts["paid_requests"] == LINES - 1
    gemini_server.faults.clear()
    assert asking.run().counts["answers"] == LINES
    assert max(gemini_server.answers.values()) == 1


def test_an_unknown_model_fails_the_stage_with_one_message(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.models = frozenset({"another"})
    report = Asking(tmp_path, gemini_server.url, BLOCKS).run()
    assert report.failure == "model"
    assert report.message is not None
    assert "gemini-3.5-flash-lite" in report.message


def test_a_provider_that_is_out_of_reach_fails_the_stage_and_not_each_request(tmp_path: Path) -> None:
    with GeminiServer() as server:
        url = server.url
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", "any")
        report = Asking(tmp_path, url, BLOCKS).run()
    assert report.failure == "provider"
    assert report.message is not None
    assert "in a row got no answer" in report.message


def test_ctrl_c_keeps_what_is_answered(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.latency = 0.6
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"concurrency": 4})
    stop = Path(asking.job.output) / "_progress" / "stop"
    stop.parent.mkdir(parents=True)
    user = threading.Thread(target=_stop_after_answers, args=(gemini_server, 4, stop))
    user.start()
    report = asking.run()
    user.join()
    assert report.stopped == "interrupted"
    assert 4 <= journaled(asking) == report.counts["paid_requests"] < LINES
    stop.unlink()
    gemini_server.latency = 0.0
    assert asking.run().counts["answers"] == LINES
    assert max(gemini_server.answers.values()) == 1


def _stop_after_answers(server: GeminiServer, number: int, stop: Path) -> None:
    while sum(server.answers.values()) < number:
        threading.Event().wait(0.01)
    stop.touch()


def test_a_stop_that_comes_before_the_first_request_sends_nothing(tmp_path: Path, gemini_server: GeminiServer) -> None:
    asking = Asking(tmp_path, gemini_server.url, BLOCKS)
    stop = Path(asking.job.output) / "_progress" / "stop"
    stop.parent.mkdir(parents=True)
    stop.touch()
    assert asking.run().stopped == "interrupted"
    assert not gemini_server.calls


def test_a_task_that_breaks_in_a_bundle_loses_no_answer(tmp_path: Path, gemini_server: GeminiServer) -> None:
    with pytest.raises(RuntimeError, match="the task broke"):
        Asking(tmp_path, gemini_server.url, BLOCKS, fails_at="Document 2-3").run()
    assert sum(gemini_server.answers.values()) > 0
    mended = Asking(tmp_path, gemini_server.url, BLOCKS)
    assert mended.run().counts["answers"] == LINES
    assert max(gemini_server.answers.values()) == 1


KILLED = """
import sys
from pathlib import Path
from asking_house import Asking

Asking(Path(sys.argv[1]), sys.argv[2], sys.argv[3].split("|"), {"concurrency": 4}).run()
"""


def test_after_kill_9_only_what_was_not_flushed_is_paid_again(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.latency = 0.2
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent / "pipelines")])
    environment = {**os.environ, "PYTHONPATH": paths, "GEMINI_API_KEY": gemini_server.key}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), gemini_server.url, "|".join(BLOCKS)], env=environment
    )
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"concurrency": 4})
    deadline = time.monotonic() + 60
    while not journaled(asking) and process.poll() is None and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    answered, kept = set(gemini_server.answered_prompts), journaled(asking)
    assert 0 < kept < LINES
    gemini_server.latency = 0.0
    report = asking.run()
    assert report.counts["journal_hits"] == kept
    assert report.counts["answers"] == LINES
    in_flight = 4
    assert len(gemini_server.answered_prompts) - LINES <= len(answered) - kept + in_flight


def test_the_key_is_in_no_file_log_or_error(
    tmp_path: Path,
    gemini_server: GeminiServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    marked = "AIza-marked-9e1f77c0"
    gemini_server.key = marked
    monkeypatch.setenv("GEMINI_API_KEY", marked)
    gemini_server.fault("server", "0-1", times=1)
    gemini_server.fault("bad_request", "0-2")
    gemini_server.fault("garbage", "0-3")
    gemini_server.fault("reset", "0-4")
    with caplog.at_level(logging.DEBUG):
        report = Asking(tmp_path, gemini_server.url, BLOCKS).run()
    assert report.counts["answer_rejects"] == 3
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and marked.encode() in path.read_bytes()]
    captured = capfd.readouterr()
    assert marked not in caplog.text + captured.out + captured.err
    name, key = gemini_key()
    assert name == "GEMINI_API_KEY"
    assert marked not in repr(key) + str(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_gemini_api_key_goes_before_google_api_key() -> None:
    assert gemini_key({"GOOGLE_API_KEY": "b", "GEMINI_API_KEY": "a"})[0] == "GEMINI_API_KEY"
    assert gemini_key({"GOOGLE_API_KEY": "b", "GEMINI_API_KEY": " "})[0] == "GOOGLE_API_KEY"
    with pytest.raises(CallError, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
        gemini_key({})
