"""The wheel holds all that a run needs: it works where the checkout is out of reach."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the wheel built from the checkout, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_prompts_schemas_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("prompts", "schemas"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"oreline/_data/{path.relative_to(ROOT).as_posix()}" in names
    assert "oreline/py.typed" in names
    assert not any(name.startswith(("pipelines/", "tests/")) for name in names)


def test_a_recipe_runs_from_the_installed_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """The new environment sees this one's dependencies, but not its editable oreline."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    # A path in a .pth file gives the packages there and does not read the .pth files in it, so no editable install.
    (site / "dependencies.pth").write_text(dependencies + "\n")
    notes = tmp_path / "notes"
    notes.mkdir()
    for name in ("pump", "valve", "tank", "gauge"):
        text = (
            f"# The {name}\n\nThe {name} stands in hall {len(name)}. Whoever serves the {name} must close it first. "
            * 5
        )
        (notes / f"{name}.md").write_text(text)
    (tmp_path / "recipe.yaml").write_text("output: out\nsources: [notes]\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-m", "oreline", "run", "recipe.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where = subprocess.run(
        [python, "-c", "import oreline; print(oreline.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(tmp_path))
    manifest = json.loads((tmp_path / "out" / "select" / "manifest.json").read_text())
    assert manifest["tables"]["triples"]["rows"] > 0
