"""Several models in one section: each is asked its part, they share a budget, and what stops one stops all."""

import json
from collections import Counter
from pathlib import Path

import pytest

from asking_house import Asking
from oreline.heartbeat import read_heartbeats
from oreline.llm import journal
from oreline.llm.requests import Answer

from gemini_server import GeminiServer

FIRST = "gemini-3.5-flash-lite"
SECOND = "gemini-3.8-flash"
BLOCKS = ["\n".join(f"Document {block}-{line} tells of rivers." for line in range(12)) for block in range(5)]
LINES = 60


def asking(folder: Path, server: GeminiServer, second: dict[str, object] | None = None, **settings: object) -> Asking:
    further = {"model": SECOND, **(second or {})}
    return Asking(folder, server.url, BLOCKS, {"further_models": [further], **settings})


def answers_of(asked: Asking) -> list[Answer]:
    lanes = [journal.read_lane(asked.recipe.cache_folder, lane) for lane in range(256)]
    return [answer for lane in lanes for attempts in lane.values() for answer in attempts.values()]


def test_each_model_answers_its_part_and_the_journal_says_which(tmp_path: Path, gemini_server: GeminiServer) -> None:
    asked = asking(tmp_path, gemini_server)
    report = asked.run()
    assert report.counts["answers"] == report.counts["paid_requests"] == LINES
    counted = Counter(answer.model for answer in answers_of(asked))
    assert set(counted) == {FIRST, SECOND}
    assert min(counted.values()) > LINES / 4
    assert asked.run().counts["journal_hits"] == LINES


def test_dollars_are_counted_at_each_models_own_price(tmp_path: Path, gemini_server: GeminiServer) -> None:
    free, dear = {"input": 0.0, "output": 0.0}, {"input": 100.0, "output": 1000.0}
    asked = asking(tmp_path, gemini_server, {"price": dear}, price=free, budget_usd=100)
    report = asked.run()
    tokens = [(each.prompt_tokens or 0, each.output_tokens or 0) for each in answers_of(asked) if each.model == SECOND]
    dollars = sum(prompt * 100 + output * 1000 for prompt, output in tokens) / 1e6
    assert report.counts["microdollars"] == pytest.approx(dollars * 1e6, abs=1)


def test_models_share_one_budget(tmp_path: Path, gemini_server: GeminiServer) -> None:
    report = asking(tmp_path, gemini_server, budget_tokens=1500, max_output_tokens=100).run()
    assert report.stopped == "budget"
    assert 1200 < report.counts["prompt_tokens"] + report.counts["output_tokens"] <= 1500


def test_each_model_has_a_window_of_its_own(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.latency = 0.15
    asking(tmp_path, gemini_server, {"concurrency": 3}, concurrency=2).run()
    assert gemini_server.most_in_flight == 5


def test_a_key_that_one_model_lacks_stops_all_and_is_told_with_its_model(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    report = asking(tmp_path, gemini_server, {"key_variable": "ORELINE_TEST_NO_SUCH_KEY"}).run()
    assert report.stopped == "key"
    assert report.message is not None
    assert SECOND in report.message
    assert "ORELINE_TEST_NO_SUCH_KEY" in report.message
    assert not gemini_server.answers


def test_a_key_that_one_model_does_not_accept_stops_all_and_keeps_what_is_answered(
    tmp_path: Path, gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORELINE_TEST_WRONG_KEY", "wrong-key-3381")
    asked = asking(tmp_path, gemini_server, {"key_variable": "ORELINE_TEST_WRONG_KEY"})
    report = asked.run()
    assert report.stopped == "key"
    assert report.message is not None
    assert f"for {SECOND}" in report.message
    assert "wrong-key-3381" not in report.message
    assert len(answers_of(asked)) == sum(gemini_server.answers.values())
    monkeypatch.setenv("ORELINE_TEST_WRONG_KEY", gemini_server.key)
    assert asked.run().counts["answers"] == LINES
    assert max(gemini_server.answers.values()) == 1


def test_a_model_that_is_not_there_fails_the_stage_by_its_name(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.models = frozenset({FIRST})
    report = asking(tmp_path, gemini_server).run()
    assert report.failure == "model"
    assert report.message is not None
    assert SECOND in report.message


def test_the_heartbeat_counts_answers_and_what_is_paid_now(tmp_path: Path, gemini_server: GeminiServer) -> None:
    asked = asking(tmp_path, gemini_server)
    report = asked.run()
    counts = read_heartbeats(asked.job.output, "synthesize")
    assert counts["rendered"] == counts["requests"] == LINES
    assert counts["tokens"] == report.counts["prompt_tokens"] + report.counts["output_tokens"]
    assert counts["microdollars"] == report.counts["microdollars"] > 0
    asked.run()
    again = read_heartbeats(asked.job.output, "synthesize")
    assert again["requests"] == 2 * LINES
    assert (again["tokens"], again["microdollars"]) == (counts["tokens"], counts["microdollars"])


def test_a_limit_per_minute_is_kept_and_all_is_answered(tmp_path: Path, gemini_server: GeminiServer) -> None:
    report = asking(tmp_path, gemini_server, requests_per_minute=LINES, tokens_per_minute=1_000_000).run()
    assert report.counts["answers"] == LINES


def test_a_further_models_answers_are_its_own_in_the_lineage(tmp_path: Path, gemini_server: GeminiServer) -> None:
    asked = asking(tmp_path, gemini_server)
    asked.run()
    for answer in answers_of(asked):
        assert answer.provider == "gemini:local"
        assert answer.dollars is not None
        assert json.loads(answer.text)
