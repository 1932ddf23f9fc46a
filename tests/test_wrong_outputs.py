"""Outputs that cannot be written, belong to another recipe or are in use: message, exit code, and nothing changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from line_house import environment, files_of, oreline, write_pages
from oreline.cli import main

RECIPE = "output: {output}\nsources: [docs]\nselect: {{negatives: 0}}\n"
HOLD = """
import sys
from oreline.lock import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a folder with a corpus and a recipe the working folder of a test."""
    write_pages(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(output="out"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Runs the recipe, which must be refused without a change on disk, and returns what was said."""
    before = contents(Path())
    assert main(["run", "recipe.yaml", *arguments]) == 2
    told = capsys.readouterr()
    assert contents(Path()) == before
    assert told.out == ""
    assert "Traceback" not in told.err
    return told.err


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Returns each file with its size and modification time; a lock is empty before and after."""
    return {
        name: (os.stat(folder / name).st_size, os.stat(folder / name).st_mtime_ns)
        for name in files_of(folder)
        if not name.endswith("_lock")
    }


def test_a_file_in_place_of_the_output_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").write_text("a file")
    told = refused(capsys)
    assert "output: " in told
    assert f"{Path('out').resolve()} is a file, but a folder is needed; choose another output" in told
    assert Path("out").read_text() == "a file"


def test_an_output_below_a_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("a file")
    told = refused(capsys, "--set", "output=taken/out")
    assert f"{Path('taken').resolve()} is a file, but a folder is needed; choose another output" in told


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_an_output_that_cannot_be_made_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "--set", "output=/proc/oreline-out")
    assert "output: cannot write in /proc (" in told
    assert "choose another output" in told


def test_a_cache_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("a file")
    assert "cache: " in refused(capsys, "--set", "cache=taken/cache")


def test_a_folder_with_files_of_others_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    Path("out/thesis.txt").write_text("not ours")
    assert "output: out holds files that oreline did not write; choose a new or empty folder" in refused(capsys)


def test_another_recipes_output_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "recipe.yaml", "--until", "dedup"]) == 0
    capsys.readouterr()
    Path("other").mkdir()
    Path("other/page.md").write_text("# A page\n\nOf another corpus altogether.\n")
    told = refused(capsys, "--set", "sources.0=other")
    assert "output: out belongs to a recipe with other sources (docs; this one has other)" in told
    assert "choose another output or delete that folder" in told


def test_two_runs_at_the_same_time_in_one_output_or_one_cache_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for held, arguments in (("out", []), ("shared", ["--set", "cache=shared"])):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, held],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            assert main(["run", "recipe.yaml", *arguments]) == 2
            told = capsys.readouterr().err
            assert f"{held}: process {holder.pid} on " in told
            assert "is running in it; wait for it, stop it, or choose another output or cache" in told
            holder.kill()
        assert [name for name in files_of(Path("out")) if name != "_lock"] == []


def test_after_a_refusal_the_same_output_can_be_used(folder: Path) -> None:
    assert oreline(folder, "run", "recipe.yaml", "--set", "slect.negatives=1").returncode == 2
    done = oreline(folder, "run", "recipe.yaml", "--until", "ingest")
    assert done.returncode == 0, done.stderr
