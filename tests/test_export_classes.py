"""Rows of classes in a trainer's files: plain, with an id of their own, or with a number to mask by."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from export_world import TEXTS, finish_world, triple
from oreline.exporters.classes import mask_of, suffix_of
from oreline.exporters.examples import Example
from oreline.ids import Json
from oreline.normalise import query_hash
from oreline.records import Query, Triple

from house import recipe_for, run_stage

INPUTS = {"triples": "select", "documents": "synthesize", "queries": "filter"}


def exported(output: Path, triples: list[Triple], **settings: object) -> None:
    recipe = recipe_for(
        output, export={"formats": ["sentence-transformers", "jsonl"], **settings}, select={"negatives": 1}
    )
    finish_world(recipe, triples)
    run_stage(recipe, "export", INPUTS)


def of_class(own_id: str, positives: list[str], negatives: list[str], group: str | None) -> Triple:
    return replace(triple(own_id, positives, negatives), group=group)


def columns(output: Path) -> dict[str, list[str | int]]:
    (path,) = (output / "train" / "sentence-transformers").rglob("*.parquet")
    found: dict[str, list[str | int]] = pq.read_table(path).to_pydict()
    return found


def objects(output: Path) -> dict[str, dict[str, Json]]:
    (path,) = (output / "train" / "jsonl").rglob("*.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["query_id"]: row for row in rows}


ROWS = [
    of_class("q0", ["d0", "d1"], ["d2"], "pay"),
    of_class("q1", ["d3"], ["d4"], "pay"),
    of_class("q2", ["d5"], ["d6"], None),
]


def test_by_default_rows_of_a_class_are_like_any_other(tmp_path: Path) -> None:
    exported(tmp_path, ROWS)
    assert list(columns(tmp_path)) == ["anchor", "positive", "negative_1"]
    assert set(columns(tmp_path)["positive"]) == {TEXTS[place] for place in (0, 1, 3, 5)}
    assert all("mask" not in each for each in objects(tmp_path).values())


def test_a_unique_suffix_is_one_per_row_after_all_of_its_texts_and_only_for_classes(tmp_path: Path) -> None:
    exported(tmp_path, ROWS, class_rows="unique_suffix")
    found = columns(tmp_path)
    rows = list(zip(found["anchor"], found["positive"], found["negative_1"], strict=True))
    suffixes = []
    for row in rows:
        ends = {str(text).rsplit(" ", 1)[1] for text in row}
        if "question 2" in row:
            assert row == ("question 2", TEXTS[5], TEXTS[6])
            continue
        (end,) = ends
        suffixes.append(end)
        assert str(row[1]).removesuffix(f" {end}") in TEXTS
    assert len(set(suffixes)) == len(suffixes) == 3
    whole = objects(tmp_path)
    end = str(whole["world/q1"]["query"]).rsplit(" ", 1)[1]
    assert end in suffixes
    for key in ("positives", "negatives"):
        texts = [each["text"] for each in json.loads(json.dumps(whole["world/q1"][key]))]
        assert all(text.endswith(f" {end}") for text in texts)
    assert whole["world/q2"]["query"] == "question 2"


def test_a_mask_is_equal_within_a_class_and_stands_in_the_column_that_reaches_the_loss(tmp_path: Path) -> None:
    exported(tmp_path, ROWS, class_rows="mask")
    found = columns(tmp_path)
    assert list(found) == ["anchor", "positive", "negative_1", "label"]
    by_anchor: dict[str, set[str | int]] = {}
    for anchor, label in zip(found["anchor"], found["label"], strict=True):
        by_anchor.setdefault(str(anchor), set()).add(label)
    assert by_anchor["question 0"] == by_anchor["question 1"]
    assert len(by_anchor["question 0"] | by_anchor["question 2"]) == 2
    masks = {key: row["mask"] for key, row in objects(tmp_path).items()}
    assert {masks["world/q0"]} == by_anchor["question 0"]
    assert {masks["world/q2"]} == by_anchor["question 2"]


def test_suffixes_stand_after_prefixes_too(tmp_path: Path) -> None:
    recipe = recipe_for(
        tmp_path,
        encoder={"model": "google/embeddinggemma-300m"},
        export={"formats": ["jsonl"], "class_rows": "unique_suffix", "prefixes": True},
    )
    finish_world(recipe, ROWS[1:2])
    run_stage(recipe, "export", INPUTS)
    (row,) = objects(tmp_path).values()
    end = str(row["query"]).rsplit(" ", 1)[1]
    assert str(row["rendered"]).endswith(f"question 1 {end}")


NAMES = st.text(min_size=1, max_size=4)


@given(NAMES, NAMES, NAMES, NAMES)
def test_masks_are_equal_for_equal_classes_of_a_dataset_and_for_no_others(a: str, b: str, one: str, two: str) -> None:
    first, second = (
        Example(replace(triple(own, ["d0"], []), dataset=dataset, group=group), _query(own), (), ())
        for own, dataset, group in (("q0", "x", a), ("q1", "x", b))
    )
    assert (mask_of(first) == mask_of(second)) == (a == b)
    assert 0 <= mask_of(first) < 2**52
    elsewhere = replace(first, triple=replace(first.triple, dataset="y"))
    assert mask_of(elsewhere) != mask_of(first)
    plain = [replace(first, triple=replace(first.triple, group=None, query_hash=each)) for each in (one, two)]
    assert (mask_of(plain[0]) == mask_of(plain[1])) == (one == two)
    assert suffix_of(plain[0]) == ""
    assert len({suffix_of(first), suffix_of(first, 1), suffix_of(second)}) == 3


def _query(own: str) -> Query:
    return Query(f"world/{own}", "world", own, query_hash(own))
