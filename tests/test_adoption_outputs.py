"""Taking over an earlier output's stages: whole parts, the new output's own references, and only from an output."""

from pathlib import Path

import pytest

from oreline.adoption import adopt, with_old_cache
from oreline.commit import Pending
from oreline.errors import CallError
from oreline.recipe.loading import dump_recipe, recipe_from
from oreline.records import Document
from oreline.running import run
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import broken_parts, read_manifest
from pages_world import pages_recipe

from house import finish, recipe_for, rows_of

NOW = Pending("test", {}, "2026-02-02T00:00:00Z")


def document(name: str) -> Document:
    return Document(f"d/{name}", "d", name, name, name)


def test_parts_listed_by_reference_are_those_of_the_new_output(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path, "old"))
    new = pages_recipe(tmp_path, "new")
    run(new, until="dedup")
    how = {each.name: each.how for each in run(new, adopt_from=str(tmp_path / "old")).stages}
    assert (how["dedup"], how["synthesize"], how["select"]) == ("unchanged", "adopted", "adopted")
    own = read_manifest(str(tmp_path / "new"), "dedup")
    adopted = read_manifest(str(tmp_path / "new"), "synthesize")
    assert own is not None
    assert adopted is not None
    assert broken_parts(str(tmp_path / "new"), adopted) == []
    referred = {part.path for part in adopted.tables["documents"] if part.path.startswith("dedup/")}
    assert referred == {part.path for part in own.tables["documents"]}
    on_disk = (tmp_path / "new" / "dedup" / "documents").iterdir()
    assert {f"dedup/documents/{path.name}" for path in on_disk} == referred


def test_training_files_are_adopted_with_export(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path, "old"))
    result = run(pages_recipe(tmp_path, "new"), adopt_from=str(tmp_path / "old"))
    assert {each.how for each in result.stages} == {"adopted", "skipped"}
    (file,) = (tmp_path / "new" / "train").rglob("*.parquet")
    assert file.stat().st_size > 0


def test_a_copy_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    manifest = finish(recipe_for(old), "ingest", {"documents": [document("a")]})
    (part,) = manifest.tables["documents"]
    (new / part.path).parent.mkdir(parents=True)
    (new / part.path).write_bytes((old / part.path).read_bytes()[:50])
    assert adopt(str(old), str(new), BY_NAME["ingest"], NOW, {}) is not None
    assert rows_of(new, "ingest", "documents", Document) == [document("a")]


def test_another_fingerprint_or_a_damaged_manifest_adopts_nothing(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    finish(recipe_for(old), "ingest", {"documents": [document("a")]})
    assert adopt(str(old), str(new), BY_NAME["ingest"], Pending("other", {}, ""), {}) is None
    (old / "ingest" / "manifest.json").write_text("{")
    assert adopt(str(old), str(new), BY_NAME["ingest"], NOW, {}) is None
    assert not new.exists()


def test_a_folder_that_is_no_output_is_named_even_if_the_cache_is_set(tmp_path: Path) -> None:
    missing = tmp_path / "olt"
    with pytest.raises(CallError, match=r"olt: there is no recipe\.yaml in it"):
        run(pages_recipe(tmp_path, cache=str(tmp_path / "cache")), adopt_from=str(missing))
    assert not missing.exists()


def test_the_earlier_output_itself_may_be_the_cache(tmp_path: Path) -> None:
    run(pages_recipe(tmp_path, "old"))
    again = pages_recipe(tmp_path, "new", cache=str(tmp_path / "old"))
    assert run(again, adopt_from=str(tmp_path / "old")).triples


def test_a_run_that_goes_on_keeps_to_the_cache_that_it_took(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for output in (old, new):
        output.mkdir()
    sources = [str(tmp_path)]
    (old / "recipe.yaml").write_text(dump_recipe(recipe_from({"output": str(old), "sources": sources}).recipe))
    loaded = recipe_from({"output": str(new), "sources": sources})
    first = with_old_cache(loaded, str(old))
    (new / "recipe.yaml").write_text(dump_recipe(first.recipe))
    assert first.recipe.cache_folder == f"{old}/_cache"
    assert with_old_cache(loaded, None).recipe.cache_folder == f"{old}/_cache"
