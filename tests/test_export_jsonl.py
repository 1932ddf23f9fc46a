"""The jsonl format: one whole object a line, whatever stands in the texts."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from export_world import TEXTS, finish_world, nasty_world, triple
from oreline.exporters.jsonl import line_of
from oreline.recipe.settings import Recipe
from oreline.records import Document, Query, Triple

from house import recipe_for, rows_of, run_stage

INPUTS = {"triples": "select", "documents": "synthesize", "queries": "filter"}


def jsonl_recipe(output: Path, **export: object) -> Recipe:
    return recipe_for(output, export={"formats": ["jsonl"], **export})


def lines(folder: Path) -> list[str]:
    return [line for path in sorted(folder.rglob("*.jsonl")) for line in path.read_bytes().decode().splitlines()]


def test_a_line_holds_ids_texts_scores_and_ranks(tmp_path: Path) -> None:
    recipe = jsonl_recipe(tmp_path)
    finish_world(recipe, [triple("q0", ["d0", "titled"], ["d1", "d2"], short="corpus")])
    run_stage(recipe, "export", INPUTS)
    (path,) = (tmp_path / "train" / "jsonl" / "world" / "train").iterdir()
    (line,) = path.read_text().splitlines()
    found = json.loads(line)
    assert (found["query_id"], found["query"], found["split"]) == ("world/q0", "question 0", "train")
    assert [each["text"] for each in found["positives"]] == [TEXTS[0], "body"]
    assert found["positives"][1]["title"] == "A title"
    assert found["positives"][0]["score"] == 0.75
    assert [(each["doc_id"], each["miner"], each["rank"]) for each in found["negatives"]] == [
        ("world/d1", "dense", 1),
        ("world/d2", "dense", 2),
    ]
    assert found["short"] == "corpus"
    assert "rendered" not in found


def test_the_texts_equal_those_of_the_tables_and_lineage_is_whole(tmp_path: Path) -> None:
    recipe = jsonl_recipe(tmp_path)
    made = nasty_world(recipe)
    run_stage(recipe, "export", INPUTS)
    (line,) = lines(tmp_path / "train")
    found = json.loads(line)
    documents = {each.doc_id: each for each in rows_of(tmp_path, "synthesize", "documents", Document)}
    queries = {each.query_id: each for each in rows_of(tmp_path, "filter", "queries", Query)}
    assert found["query"] == queries[made.query_id].query
    assert found["instruction"] == queries[made.query_id].instruction
    for each in found["positives"] + found["negatives"]:
        assert (each["title"], each["text"]) == (documents[each["doc_id"]].title, documents[each["doc_id"]].text)
    assert made.lineage is not None
    assert found["lineage"] == vars(made.lineage)
    assert found["rating"]["grade"] == 3


def test_every_triple_stands_once(tmp_path: Path) -> None:
    recipe = jsonl_recipe(tmp_path)
    finish_world(recipe, [triple(f"q{n}", ["d0"], ["d1"][: n % 2]) for n in range(30)], parts=3)
    manifest = run_stage(recipe, "export", INPUTS)
    ids = {json.loads(line)["query_id"] for line in lines(tmp_path / "train")}
    assert ids == {each.query_id for each in rows_of(tmp_path, "select", "triples", Triple)}
    assert manifest.rows("train/jsonl") == len(ids) == 30


def test_prefixes_add_the_rendered_strings(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        jsonl_recipe(tmp_path, prefixes=True).model_dump() | {"encoder": {"model": "e5-small"}}
    )
    finish_world(recipe, [triple("q0", ["d0"], ["d1"])])
    run_stage(recipe, "export", INPUTS)
    found = json.loads(lines(tmp_path / "train")[0])
    assert (found["query"], found["rendered"]) == ("question 0", "query: question 0")
    assert found["negatives"][0]["rendered"] == f"passage: {TEXTS[1]}"


@given(st.text())
def test_no_text_makes_two_lines_or_is_changed(text: str) -> None:
    line = line_of({"text": text})
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"text": text}
