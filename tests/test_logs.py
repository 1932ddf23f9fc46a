"""The log of a run: what goes into it, and what is left of it in a program that runs a recipe."""

import json
import logging
from pathlib import Path

import oreline
from faults_house import serving
from oreline.logs import TALKATIVE, log_file


def test_loggers_that_say_a_line_per_call_are_quiet_during_a_run_and_as_before_after_it(tmp_path: Path) -> None:
    logger = logging.getLogger(TALKATIVE[0])
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        with log_file(str(tmp_path), verbose=False):
            logger.info("a call was made")
            logger.warning("a call went wrong")
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)
    assert [line.split(": ")[1] for line in (tmp_path / "run.log").read_text().splitlines()] == ["a call went wrong"]


def test_workers_log_no_line_per_call_either(tmp_path: Path) -> None:
    documents = [{"id": f"d{place}", "text": f"River {place} carries water and sand to the sea."} for place in range(6)]
    source = tmp_path / "documents.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in documents))
    with serving("OpenAI-compatible server", tmp_path) as api:
        llm = {"model": "gemini-3.5-flash-lite", "base_url": api.server.url, "server": "local", "workers": 2}
        recipe = {
            "output": str(tmp_path / "out"),
            "sources": [{"path": str(source)}],
            "llm": {**llm, **api.settings},
            "beam": {"workers": 2},
        }
        oreline.run(recipe, until="synthesize")
        assert sum(api.server.calls.values()) >= 6
    logs = [tmp_path / "out" / "run.log", *(tmp_path / "out" / "_progress").rglob("*.log")]
    assert len(logs) > 1
    assert not [each.name for each in logs if "HTTP Request" in each.read_text()]
