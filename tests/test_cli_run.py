"""`oreline run` as a user sees it, on a corpus small enough to run without an encoder."""

import json
from pathlib import Path

import pytest

from oreline.cli import main

RECIPE = """\
output: out
sources: [docs]
select: {negatives: 0}
synthesize: {writers: [extractive/title]}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("recipe.yaml").write_text(RECIPE, encoding="utf-8")
    for animal, says in (
        ("Red foxes", "bark at night"),
        ("Brown bears", "sleep in winter"),
        ("Grey seals", "fish at sea"),
    ):
        text = f"# {animal} of the north\n\nThese animals {says}, as people who live near them have long known.\n"
        Path("docs", f"{animal.split()[1]}.md").write_text(text, encoding="utf-8")


def test_a_run_prints_fates_triples_and_paths_and_a_second_one_has_nothing_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "recipe.yaml", "--examples", "2"]) == 0
    told = capsys.readouterr()
    for stage in ("ingest", "dedup", "synthesize", "filter", "select", "export"):
        assert f"\n{stage} " in told.out
    assert "2 of 3 triples, drawn by a hash of their ids" in told.out
    assert "skipped: select.negatives is 0" in " ".join(told.out.split())
    assert "wrote out/select/triples\nwrote out/run.log\n" in told.out
    assert "ingest: 3 documents" in told.err
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.parquet")}
    assert main(["run", "recipe.yaml", "--examples", "0"]) == 0
    told = capsys.readouterr()
    assert "triples, drawn by" not in told.out
    assert told.err.count("unchanged") == 6
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.parquet")} == before


def test_a_run_until_a_stage_tells_of_no_later_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "recipe.yaml", "--until", "dedup"]) == 0
    told = capsys.readouterr().out
    assert "\ndedup " in told
    assert "\nsynthesize " not in told
    assert not Path("out", "synthesize").exists()


def test_a_plan_is_printed_as_json_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "recipe.yaml", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [stage["stage"] for stage in plan["stages"] if stage["status"] == "skipped"] == ["embed", "mine", "judge"]
    assert plan["calls"] == []
    assert not Path("out").exists()
