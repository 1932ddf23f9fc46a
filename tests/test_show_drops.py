"""`show --rejects` and `--clusters`: every reason is seen, and duplicates stand beside their keepers."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from export_world import document, finish_world, triple
from oreline.errors import CallError
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Recipe
from oreline.records import Reject
from oreline.reports.plain import print_report
from oreline.reports.show import show
from oreline.tables.manifest import Books, Manifest, write_manifest

from house import finish, recipe_for, run_stage


def printed(path: Path, *, rejects: bool = False, clusters: bool = False) -> str:
    file = io.StringIO()
    print_report(show(str(path), rejects=rejects, clusters=clusters), Console(file=file, width=120))
    return file.getvalue()


def finish_dedup(recipe: Recipe) -> None:
    writer = StageWriter(Job(recipe.output, "dedup", recipe, {}))
    writer.rows("documents", [document("keeper", "the keeper's text"), document("lonely", "another text")])
    writer.kept(["world/keeper", "world/lonely"])
    for n in range(3):
        detail = f"Jaccard similarity 0.9{n} with world/keeper"
        payload = f"nearly the keeper's text \x1b[2J {n}"
        reject = Reject(f"world/near{n}", "documents", "near_duplicate", detail, "world/keeper", payload)
        writer.dropped(f"world/near{n}", reject)
    writer.merged("world/same", "world/lonely")
    report = writer.close()
    names = sorted({part.table for part in report.parts})
    tables = {name: tuple(part for part in report.parts if part.table == name) for name in names}
    books: Books = report.books
    made = Manifest("dedup", 1, "test", {}, tables, books, {"near_duplicate": 3}, {}, "2026-01-01T00:00:00Z")
    write_manifest(recipe.output, made)


def test_rejects_are_counted_by_reason_and_shown_with_their_cause(tmp_path: Path) -> None:
    finish_dedup(recipe_for(tmp_path))
    text = printed(tmp_path, rejects=True)
    assert "dedup near_duplicate 3 word n-grams overlap another document's" in " ".join(text.split())
    assert "Jaccard similarity 0.91 with world/keeper" in text
    assert "by world/keeper" in text
    assert r"nearly the keeper's text \x1b[2J 1" in text
    assert printed(tmp_path / "dedup" / "rejects", rejects=True) == text


def test_every_reason_is_seen_before_one_is_seen_twice(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, export={"short_rows": "drop"})
    finish_dedup(recipe)
    finish_world(recipe, [triple("q0", ["d0"], [])])
    run_stage(recipe, "export", {"triples": "select", "documents": "synthesize", "queries": "filter"})
    lines = [json.loads(str(line)) for line in show(str(tmp_path), rejects=True, as_json=True, limit=2)]
    assert [(line["stage"], line["reason"]) for line in lines] == [
        ("dedup", "near_duplicate"),
        ("export", "format_cannot_hold"),
    ]
    assert json.loads(lines[1]["payload"])["query_id"] == "world/q0"
    assert len(show(str(tmp_path), rejects=True, as_json=True, limit=100)) == 4
    assert len(show(str(tmp_path / "dedup"), rejects=True, as_json=True, limit=100)) == 3


def test_clusters_show_the_keeper_with_all_its_duplicates(tmp_path: Path) -> None:
    finish_dedup(recipe_for(tmp_path))
    text = printed(tmp_path, clusters=True)
    assert "dedup: 2 clusters, 4 rows in them besides their keepers" in text
    assert text.index("world/keeper") < text.index("the keeper's text") < text.index("world/near0")
    assert text.index("world/near2") < text.index("world/lonely") < text.index("world/same")
    assert "near_duplicate: Jaccard similarity 0.92" in text
    first, second = [json.loads(str(line)) for line in show(str(tmp_path), clusters=True, as_json=True)]
    assert (first["keeper"], len(first["members"]), first["text"]) == ("world/keeper", 3, "the keeper's text")
    assert [each["id"] for each in second["members"]] == ["world/same"]


def test_an_output_without_rejects_says_so(tmp_path: Path) -> None:
    finish(recipe_for(tmp_path), "dedup", {"documents": [document("d", "text")]})
    assert "nothing was dropped" in printed(tmp_path, rejects=True)


def test_clusters_of_a_stage_that_compares_nothing_are_an_error(tmp_path: Path) -> None:
    finish_world(recipe_for(tmp_path), [triple("q0", ["d0"], [])])
    with pytest.raises(CallError, match="clusters come from dedup and filter; finished here: select"):
        show(str(tmp_path / "select"), clusters=True)


def test_rejects_of_a_trainer_s_file_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("{}\n")
    with pytest.raises(CallError, match="--rejects needs an output folder"):
        show(str(tmp_path / "x.jsonl"), rejects=True)
