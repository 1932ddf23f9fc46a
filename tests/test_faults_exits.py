"""How `oreline run` ends when a fault stops it: exit code, one message with cause and remedy, and the way back."""

from pathlib import Path

import pytest

from line_house import write_pages
from oreline.cli import main
from oreline.tables.manifest import read_manifest
from server_faults import FaultKind

from gemini_server import GeminiServer

ENDS: dict[FaultKind, tuple[int, str, str]] = {
    "unauthorized": (2, "the provider does not accept the key (401 UNAUTHENTICATED: ", "run again to go on"),
    "quota": (4, "the provider's quota is used up (429 RESOURCE_EXHAUSTED: ", "run again to go on"),
    "unknown_model": (3, "llm.model 'gemini-3.5-flash-lite': 404 NOT_FOUND: ", "name a model that is there"),
}
SAID_OF_A_SERVER_THAT_IS_GONE = "in a row got no answer (the last: "


def ends(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Runs the recipe until its queries are written; returns exit code and what was said on standard error."""
    capsys.readouterr()
    code = main(["run", str(folder / "recipe.yaml"), "--until", "synthesize"])
    return code, capsys.readouterr().err


def test_each_end_has_its_exit_code_and_one_message_and_the_next_run_pays_only_what_is_missing(
    tmp_path: Path, gemini_server: GeminiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = write_pages(tmp_path)
    for number in range(20):
        (docs / f"mill-{number}.md").write_text(
            f"# Mill {number}\n\nThe mill of village {number} has {number} sails.\n"
        )
    (tmp_path / "recipe.yaml").write_text(
        f"output: {tmp_path / 'out'}\nsources: [{docs}]\n"
        f"llm: {{model: gemini-3.5-flash-lite, base_url: '{gemini_server.url}', server: local, call_attempts: 1, "
        "concurrency: 2}\n"
    )
    for kind, (code, said, remedy) in ENDS.items():
        before = len(gemini_server.answered_prompts)
        gemini_server.faults.clear()
        gemini_server.fault(kind, after=before + 2)  # two more are answered before it begins
        found, told = ends(tmp_path, capsys)
        assert found == code, told
        assert told.count(said) == 1, told
        assert remedy in told
        assert "Traceback" not in told
        assert len(gemini_server.answered_prompts) > before, "what was answered is kept, and the rest asked for"
    gemini_server.faults.clear()
    gemini_server.__exit__(None, None, None)
    found, told = ends(tmp_path, capsys)
    assert found == 3, told
    assert told.count(SAID_OF_A_SERVER_THAT_IS_GONE) == 1
    assert f"127.0.0.1:{gemini_server.port}" in told
    gemini_server.__enter__()
    found, told = ends(tmp_path, capsys)
    assert found == 0, told
    answered = gemini_server.answered_prompts
    assert len(answered) == len(set(answered)) >= 28


def test_what_got_no_answer_is_asked_for_by_the_next_run_and_what_is_not_taken_is_not(
    tmp_path: Path, gemini_server: GeminiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = write_pages(tmp_path)
    (docs / "mill.md").write_text("# Mill\n\nThe mill of the village has four sails and a miller.\n")
    (tmp_path / "recipe.yaml").write_text(
        f"output: {tmp_path / 'out'}\nsources: [{docs}]\n"
        f"llm: {{model: gemini-3.5-flash-lite, base_url: '{gemini_server.url}', server: local, call_attempts: 1}}\n"
    )
    gemini_server.fault("server", "four sails")
    assert ends(tmp_path, capsys)[0] == 0
    without = read_manifest(str(tmp_path / "out"), "synthesize")
    assert without is not None
    assert without.drops == {"no_answer": 1}
    answered = len(gemini_server.answered_prompts)
    gemini_server.faults.clear()
    gemini_server.fault("bad_request", "four sails")
    assert "dropped without an answer: 1; asked again" in ends(tmp_path, capsys)[1]
    taken = read_manifest(str(tmp_path / "out"), "synthesize")
    assert taken is not None
    assert taken.drops == {"not_taken": 1}
    assert "asked again" not in ends(tmp_path, capsys)[1]
    assert len(gemini_server.answered_prompts) == answered
