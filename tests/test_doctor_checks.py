"""`doctor` says what is there and what to do, and never shows a key."""

import io
import json
from pathlib import Path

from rich.console import Console

from oreline import __version__
from oreline.reports.doctor import doctor, doctor_table


def test_every_line_has_a_state_and_what_is_missing_a_remedy(tmp_path: Path) -> None:
    checks = doctor(str(tmp_path), {})
    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    assert {"oreline", "python", "machine", "disk", "apache-beam", "extra encoder", "GPU", "runner"} <= set(names)
    assert all(check.remedy for check in checks if check.state != "ok")
    assert next(check for check in checks if check.name == "oreline").found.startswith(__version__)


def test_keys_are_reported_and_never_shown(tmp_path: Path) -> None:
    checks = doctor(str(tmp_path), {"GEMINI_API_KEY": "sesame-123", "GOOGLE_API_KEY": " "})
    found = {check.name: check for check in checks}
    assert found["GEMINI_API_KEY"].state == "ok"
    assert found["GOOGLE_API_KEY"].state == "missing"
    assert "sesame" not in json.dumps([check.to_json() for check in checks])


def test_both_keys_say_which_one_is_taken(tmp_path: Path) -> None:
    checks = doctor(str(tmp_path), {"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": "b"})
    found = {check.name: check.found for check in checks}
    assert found["GEMINI_API_KEY"] == "set; it is taken before GOOGLE_API_KEY"


def test_every_providers_key_and_client_has_a_line(tmp_path: Path) -> None:
    found = {check.name: check for check in doctor(str(tmp_path), {"OPENAI_API_KEY": "sesame-456"})}
    assert (found["OPENAI_API_KEY"].state, found["OPENAI_API_KEY"].found) == ("ok", "set")
    assert {"google-genai", "aiohttp", "extra openai"} <= set(found)
    assert not any("sesame" in json.dumps(check.to_json()) for check in found.values())


def test_google_credentials_are_looked_for_and_never_shown(tmp_path: Path) -> None:
    def looked(**environment: str) -> tuple[str, str]:
        found = {check.name: check for check in doctor(str(tmp_path), environment)}
        return found["Google credentials"].state, found["Google credentials"].found

    assert looked(HOME=str(tmp_path)) == ("missing", "none in files")
    assert looked(GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "a.json"))[0] == "problem"
    (tmp_path / "a.json").write_text("sesame")
    found = looked(GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "a.json"))
    assert found == ("ok", "GOOGLE_APPLICATION_CREDENTIALS names a file")
    (tmp_path / ".config" / "gcloud").mkdir(parents=True)
    (tmp_path / ".config" / "gcloud" / "application_default_credentials.json").write_text("sesame")
    assert looked(HOME=str(tmp_path))[0] == "ok"


def test_a_key_that_cannot_be_sent_is_a_problem_and_is_not_shown(tmp_path: Path) -> None:
    checks = doctor(str(tmp_path), {"GEMINI_API_KEY": "open\nsesame", "OPENAI_API_KEY": "sesame"})
    found = {check.name: (check.state, check.found) for check in checks}
    assert found["GEMINI_API_KEY"] == ("problem", "set, with a character that no key has")
    assert found["OPENAI_API_KEY"] == ("ok", "set")
    assert "sesame" not in repr(checks)


def test_a_folder_that_is_not_there_yet_is_checked_at_its_parent(tmp_path: Path) -> None:
    checks = doctor(str(tmp_path / "a" / "b"), {})
    disk = next(check for check in checks if check.name == "disk")
    assert str(tmp_path) in disk.found
    assert "GB free" in disk.found


def test_the_table_shows_every_check(tmp_path: Path) -> None:
    checks = doctor(str(tmp_path), {})
    file = io.StringIO()
    Console(file=file, width=100).print(doctor_table(checks))
    assert all(check.name in file.getvalue() for check in checks)
