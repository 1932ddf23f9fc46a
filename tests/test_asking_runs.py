"""The LLM stages' transform over the local server: as many answers out as requests in, nothing paid twice."""

import json
import os
from pathlib import Path

import pytest

from asking_house import Asking
from oreline.llm import journal

from gemini_server import GeminiServer

BLOCKS = [
    "\n".join(f"Document {block}-{line} tells of rivers and mountains." for line in range(7)) for block in range(6)
]
LINES = 42


@pytest.fixture
def asking(tmp_path: Path, gemini_server: GeminiServer) -> Asking:
    return Asking(tmp_path, gemini_server.url, BLOCKS)


def test_as_many_answers_come_out_as_requests_go_in(asking: Asking, gemini_server: GeminiServer) -> None:
    report = asking.run()
    assert report.counts["requests"] == report.counts["answers"] == report.counts["paid_requests"] == LINES
    assert report.counts["finished_blocks"] == len(BLOCKS)
    assert report.counts["answer_rejects"] == 0
    assert sum(gemini_server.answers.values()) == LINES
    lines = [line.split("\t") for line in asking.results()]
    assert len(lines) == LINES
    assert all(set(json.loads(answer)) == {"words", "grade"} for _, answer in lines)


def test_a_second_run_sends_nothing_and_gives_the_same(asking: Asking, gemini_server: GeminiServer) -> None:
    asking.run()
    first = asking.results()
    report = asking.run()
    assert report.counts["journal_hits"] == LINES
    assert "paid_requests" not in report.counts
    assert max(gemini_server.calls.values()) == 1
    assert asking.results() == first


def test_bundles_that_run_twice_send_nothing_twice(asking: Asking, gemini_server: GeminiServer) -> None:
    report = asking.run("--direct_runner_bundle_repeat=1")
    assert report.counts["answers"] == LINES
    assert max(gemini_server.calls.values()) == 1


def test_equal_requests_of_several_blocks_are_sent_once(tmp_path: Path, gemini_server: GeminiServer) -> None:
    asking = Asking(tmp_path, gemini_server.url, ["same\nother", "same\nthird", ""])
    report = asking.run()
    assert report.counts["requests"] == report.counts["answers"] == 4
    assert report.counts["finished_blocks"] == 3
    assert sum(gemini_server.calls.values()) == 3


def test_two_workers_give_what_one_gives(
    tmp_path: Path, gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
    alone = Asking(tmp_path / "one", gemini_server.url, BLOCKS)
    alone.run()
    together = Asking(tmp_path / "two", gemini_server.url, BLOCKS, {"workers": 2})
    report = together.run("--direct_num_workers=2")
    assert report.counts["answers"] == LINES
    assert together.results() == alone.results()
    assert set(gemini_server.calls.values()) == {2}


def test_the_journal_holds_usage_and_versions(asking: Asking) -> None:
    asking.run()
    answers = [
        answer
        for lane in range(256)
        for attempts in journal.read_lane(asking.recipe.cache_folder, lane).values()
        for answer in attempts.values()
    ]
    assert len(answers) == LINES
    assert all(answer.prompt_tokens and answer.output_tokens and answer.time for answer in answers)
    assert {(a.stage, a.provider, a.model_version, a.prompt_id, a.prompt_version, a.status) for a in answers} == {
        ("synthesize", "gemini:local", "gemini-3.5-flash-lite", "test/words", 3, "ok")
    }
