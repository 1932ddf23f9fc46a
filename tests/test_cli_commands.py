"""The command line: help, exit codes, what it imports, and what stays off the terminal."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from oreline import __version__, cli
from oreline.cli import main, options

COMMANDS = sorted(cli.oreline.commands)
HEAVY = ("apache_beam", "torch", "pyarrow", "polars", "google.genai", "sentence_transformers")


def oreline(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the program in a process of its own, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "oreline", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def imported(*arguments: str, folder: Path) -> tuple[int, set[str]]:
    """Returns the exit code of a command and which heavy packages it imported."""
    script = (
        "import sys\nfrom oreline.cli import main\n"
        f"code = main({list(arguments)!r})\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("loaded:")]
    return done.returncode, set(line.split()[1:])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_is_whole_in_the_list(command: str) -> None:
    made = cli.oreline.commands[command]
    assert made.help
    assert not made.get_short_help_str(limit=60).endswith("...")
    for parameter in made.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{command} {parameter.name} has no help"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command: str) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"oreline {command}" in readme or f"`{command}`" in readme


def test_the_commands_are_those_of_the_design() -> None:
    assert COMMANDS == ["calibrate", "compare", "completion", "doctor", "export", "init", "plan", "run", "show"]


def test_help_and_recipe_errors_import_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("output: out\nsources: [docs]\nselect: {windw: 1}\n", encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A", encoding="utf-8")
    assert imported("--help", folder=tmp_path) == (0, set())
    assert imported("run", "--help", folder=tmp_path) == (0, set())
    assert imported("run", "bad.yaml", folder=tmp_path) == (2, set())
    assert imported("plan", "bad.yaml", folder=tmp_path) == (2, set())
    assert imported("init", "docs", folder=tmp_path) == (0, set())


def test_the_version_is_printed(tmp_path: Path) -> None:
    done = oreline("--version", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"oreline {__version__}\n")


def test_a_wrong_recipe_is_told_on_standard_error_with_exit_code_2_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("output: out\nsources: [docs]\nselect: {windw: 1}\n", encoding="utf-8")
    done = oreline("run", "recipe.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'oreline: recipe.yaml:3:10: select.windw: no such key; did you mean "window"?\n'
    assert os.listdir(tmp_path) == ["recipe.yaml"]


def test_a_missing_source_is_told_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("output: out\nsources: [docs]\n", encoding="utf-8")
    done = oreline("run", "recipe.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "docs" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["recipe.yaml"]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_overrides_are_applied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text("output: out\nsources: [docs]\n", encoding="utf-8")
    assert main([command, "recipe.yaml", "--set", "select.negatives=many"]) == 2
    assert "--set select.negatives=many: select.negatives: found the text 'many'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rn"], "No such command 'rn'"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "x.yaml", "--only", "minne"], "'minne' is not one of"),
        (["run", "x.yaml", "--num_workers=3"], "oreline run recipe.yaml -- --option=value"),
        (["show", "x", "--limit", "0"], "0 is not in the range x>=1"),
        (["completion", "cmd"], "'cmd' is not one of 'bash', 'zsh', 'fish'"),
        (["init", "docs", "--demo"], "give a PATH or --demo, not both"),
        (["run", "nowhere.yaml"], "nowhere.yaml: there is no such file; `oreline init` writes a recipe"),
        ([], "Usage: oreline"),
    ],
)
def test_a_wrong_call_is_told_with_exit_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("shell", "sign"), [("bash", "complete -o nosort"), ("zsh", "#compdef oreline"), ("fish", "--command oreline")]
)
def test_completion_prints_a_script_for_the_shell(capsys: pytest.CaptureFixture[str], shell: str, sign: str) -> None:
    assert main(["completion", shell]) == 0
    assert sign in capsys.readouterr().out


def test_completion_completes_commands_and_stages(tmp_path: Path) -> None:
    done = oreline(folder=tmp_path, _ORELINE_COMPLETE="bash_complete", COMP_WORDS="oreline ru", COMP_CWORD="1")
    assert done.stdout == "plain,run\n"
    words = "oreline run recipe.yaml --only fil"
    done = oreline(folder=tmp_path, _ORELINE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="4")
    assert done.stdout == "plain,filter\n"


class _Bug(RuntimeError):
    """What no part of oreline raises."""


def _broken() -> None:
    raise _Bug("it\nbroke")


@pytest.fixture
def _with_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    command = options.verbose(click.Command("bug", callback=_broken))
    monkeypatch.setitem(cli.oreline.commands, "bug", command)


@pytest.mark.usefixtures("_with_bug")
def test_a_bug_is_one_line_with_exit_code_3_and_a_traceback_only_if_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bug"]) == 3
    told = capsys.readouterr().err
    assert told.startswith("oreline: unexpected _Bug: it broke\n")
    assert "Traceback" not in told
    assert main(["--verbose", "bug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_in_a_run_goes_to_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "run.log"
    log.write_text("before\n", encoding="utf-8")
    assert cli._unexpected(_Bug("broke"), options.Session(log=str(log))) == 3
    assert f"The traceback is in {log}" in capsys.readouterr().err
    assert log.read_text(encoding="utf-8").startswith("before\n")
    assert "_Bug: broke" in log.read_text(encoding="utf-8")


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.oreline.commands, "stop", click.Command("stop", callback=interrupted))
    assert main(["stop"]) == 130
    assert capsys.readouterr().err.strip().endswith("oreline: interrupted")


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m oreline completion bash | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
