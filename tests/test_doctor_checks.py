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
