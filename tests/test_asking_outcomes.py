"""What becomes of single requests: refusals, blocks, truncation, unusable answers, faults on the way."""

from pathlib import Path

import pytest

from asking_house import Asking
from oreline.llm import journal
from oreline.llm.requests import Answer

from gemini_server import FaultKind, GeminiServer

LINES = [f"Document {number:02d} tells of rivers and mountains." for number in range(8)]
HIT = LINES[3]


@pytest.fixture
def asking(tmp_path: Path, gemini_server: GeminiServer) -> Asking:
    return Asking(tmp_path, gemini_server.url, ["\n".join(LINES)])


def attempts_of(asking: Asking) -> list[Answer]:
    """Returns all journaled attempts at the requests that needed more than one, or got none that is usable."""
    lanes = [journal.read_lane(asking.recipe.cache_folder, lane) for lane in range(256)]
    found = [attempts for lane in lanes for attempts in lane.values()]
    return [each for attempts in found for each in attempts.values() if len(attempts) > 1 or each.status != "ok"]


@pytest.mark.parametrize(
    ("fault", "reject", "calls"),
    [
        ("blocked_prompt", "blocked", 1),
        ("safety", "blocked", 1),
        ("recitation", "refused", 1),
        ("max_tokens", "truncated", 2),
        ("malformed", "unparsable", 2),
        ("off_schema", "unparsable", 2),
        ("empty", "unparsable", 2),
        ("no_candidates", "unparsable", 2),
        ("server", "no_answer", 3),
        ("garbage", "no_answer", 3),
        ("reset", "no_answer", 3),
        ("bad_request", "not_taken", 1),
    ],
)
def test_a_request_that_fails_becomes_a_reject_and_the_others_go_on(
    asking: Asking, gemini_server: GeminiServer, fault: FaultKind, reject: str, calls: int
) -> None:
    gemini_server.fault(fault, HIT)
    report = asking.run()
    assert report.stopped is None
    assert report.failure is None
    assert report.counts["answers"] == len(LINES) - 1
    assert report.counts["answer_rejects"] == 1
    assert f"{HIT}\t{reject}" in asking.results()
    prompt = next(prompt for prompt in gemini_server.calls if HIT in prompt)
    assert gemini_server.calls[prompt] == calls


def test_many_requests_in_a_row_that_are_not_taken_stop_nobody(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.fault("bad_request", "rivers")
    lines = [f"Document {number} tells of rivers." for number in range(24)]
    report = Asking(tmp_path, gemini_server.url, ["\n".join([*lines, "Mountains."])], {"concurrency": 1}).run()
    assert (report.stopped, report.failure) == (None, None)
    assert report.counts["answer_rejects"] == len(lines)
    assert report.counts["answers"] == 1


@pytest.mark.parametrize("fault", ["blocked_prompt", "recitation", "max_tokens", "malformed", "empty"])
def test_a_rerun_asks_nothing_about_answers_that_are_final(
    asking: Asking, gemini_server: GeminiServer, fault: FaultKind
) -> None:
    gemini_server.fault(fault, HIT)
    asking.run()
    before = sum(gemini_server.calls.values())
    report = asking.run()
    assert sum(gemini_server.calls.values()) == before
    assert report.counts["answer_rejects"] == 1


def test_what_got_no_answer_is_asked_again_by_a_rerun(asking: Asking, gemini_server: GeminiServer) -> None:
    gemini_server.fault("server", HIT)
    asking.run()
    gemini_server.faults.clear()
    report = asking.run()
    assert report.counts["paid_requests"] == 1
    assert report.counts["answers"] == len(LINES)


@pytest.mark.parametrize("fault", ["malformed", "max_tokens", "empty", "off_schema"])
def test_a_second_attempt_may_be_usable_and_both_are_journaled(
    asking: Asking, gemini_server: GeminiServer, fault: FaultKind
) -> None:
    gemini_server.fault(fault, HIT, times=1)
    report = asking.run()
    assert report.counts["answers"] == len(LINES)
    assert report.counts["paid_requests"] == len(LINES) + 1
    assert [(each.attempt, each.status) for each in sorted(attempts_of(asking), key=lambda each: each.attempt)] == [
        (0, "truncated" if fault == "max_tokens" else "ok"),
        (1, "ok"),
    ]


@pytest.mark.parametrize("fault", ["rate", "server", "garbage", "reset"])
def test_faults_on_the_way_pass_without_a_trace(asking: Asking, gemini_server: GeminiServer, fault: FaultKind) -> None:
    gemini_server.fault(fault, times=2)
    report = asking.run()
    assert report.counts["answers"] == report.counts["paid_requests"] == len(LINES)
    assert attempts_of(asking) == []


def test_a_call_beyond_the_timeout_is_made_again(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.fault("slow", HIT, times=1)
    asking = Asking(tmp_path, gemini_server.url, ["\n".join(LINES)], {"timeout": 1.0})
    assert asking.run().counts["answers"] == len(LINES)


def test_a_429_that_lasts_stops_the_run(asking: Asking, gemini_server: GeminiServer) -> None:
    gemini_server.fault("rate", HIT, delay=0.01)
    report = asking.run()
    assert report.stopped == "quota"
    assert report.message is not None
    assert "run again" in report.message


def test_calls_in_flight_are_as_many_as_the_recipe_says(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.latency = 0.1
    Asking(tmp_path, gemini_server.url, ["\n".join(LINES)], {"concurrency": 3}).run()
    assert gemini_server.most_in_flight == 3


def test_answers_of_another_attempt_number_settle_a_request_under_new_code(
    asking: Asking, gemini_server: GeminiServer
) -> None:
    gemini_server.fault("off_schema", HIT)
    asking.run()
    lane = {
        key: found
        for number in range(256)
        for key, found in journal.read_lane(asking.recipe.cache_folder, number).items()
    }
    assert sum(len(found) for found in lane.values()) == len(LINES) + 1
    assert len(gemini_server.answers) == len(LINES)
