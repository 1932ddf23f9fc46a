"""Labelled sets: a label column at ingest, the writer that pairs texts of a class, and banking77 through both."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.errors import CallError
from oreline.recipe.settings import Recipe, Source
from oreline.records import Document, FateRow, Pair, Query, Reject
from oreline.sources.discovery import check_source
from oreline.tables.schema import to_arrow
from oreline.writing.classification.labelled import read_members
from synthesize_world import docstrings, document
from writing_house import digests, synthesized

from house import data_folder, recipe_for, rows_of, run_stage

NAME = "classification/labelled"


def labelled(number: int, label: str | None, dataset: str = "shop") -> Document:
    row = document(f"{dataset}/{number:03}", None, f"message number {number} on {label}")
    return replace(row, group=label)


def recipe_of(output: Path, **settings: object) -> Recipe:
    return recipe_for(output, synthesize={"writers": [NAME], "labelled": settings})


def made(output: Path) -> tuple[dict[str, Query], list[Pair]]:
    queries = {each.query_id: each for each in rows_of(output, "synthesize", "queries", Query)}
    return queries, rows_of(output, "synthesize", "pairs", Pair)


def test_each_text_becomes_a_query_with_its_class_as_positive_and_others_as_known_negatives(tmp_path: Path) -> None:
    source = [labelled(number, "abc"[number % 3]) for number in range(30)]
    manifest = synthesized(recipe_of(tmp_path, positives=2, negatives=3), source)
    queries, pairs = made(tmp_path)
    documents = {each.doc_id: each for each in source}
    assert manifest.books.kept.count == len(queries) == 30
    assert manifest.rows("documents") == 30
    assert Counter(pair.label for pair in pairs) == {"positive": 60, "negative": 90}
    for pair in pairs:
        query, text = queries[pair.query_id], documents[pair.doc_id]
        assert pair.source == "class"
        assert (text.group == query.group) == (pair.label == "positive")
        assert query.lineage is not None
        assert query.lineage.doc_ids != [pair.doc_id]
        assert (query.origin, query.task_type) == ("human", "classification")
        assert query.query == documents[query.lineage.doc_ids[0]].text
    assert len(set(pairs)) == len(pairs)
    assert "requests" not in manifest.counts


def test_a_text_without_class_or_fellow_is_dropped_with_the_reason(tmp_path: Path) -> None:
    source = [labelled(0, "a"), labelled(1, "a"), labelled(2, "b"), labelled(3, None), labelled(4, "a", "other")]
    synthesized(recipe_of(tmp_path), source)
    queries, _ = made(tmp_path)
    assert {each.group for each in queries.values()} == {"a"}
    assert {each.unit_id: each.fate for each in rows_of(tmp_path, "synthesize", "fates", FateRow)} == {
        "shop/002": "dropped",
        "shop/003": "dropped",
        "other/004": "dropped",
    }
    rejects = {each.row_id: each for each in rows_of(tmp_path, "synthesize", "rejects", Reject)}
    assert {each.reason for each in rejects.values()} == {"no_class_fellow"}
    assert "has the class 'b'" in rejects["shop/002"].detail
    assert "columns.label" in rejects["shop/003"].detail


def test_a_dataset_without_classes_is_left_to_other_writers(tmp_path: Path) -> None:
    source = [*(labelled(number, "ab"[number % 2]) for number in range(6)), labelled(6, None), *docstrings()[:5]]
    manifest = synthesized(recipe_of(tmp_path), source)
    fates = {each.unit_id: each.fate for each in rows_of(tmp_path, "synthesize", "fates", FateRow)}
    (reject,) = rows_of(tmp_path, "synthesize", "rejects", Reject)
    assert (reject.row_id, fates["shop/006"]) == ("shop/006", "dropped")
    assert {fates[each.doc_id] for each in docstrings()[:5]} == {"passed_over"}
    assert manifest.books.kept.count == 6


def test_an_equal_text_is_neither_positive_nor_negative(tmp_path: Path) -> None:
    same = document("shop/1", None, "Hello there")
    source = [replace(same, doc_id=f"shop/{number}", group=label) for number, label in enumerate(["a", "a", "b"])]
    source += [labelled(3, "a"), labelled(4, "b")]
    synthesized(recipe_of(tmp_path, positives=5, negatives=5), source)
    queries, pairs = made(tmp_path)
    greeting = {each.query_id for each in queries.values() if each.query == "Hello there"}
    assert {pair.doc_id for pair in pairs if pair.query_id in greeting} <= {"shop/003", "shop/004"}


def test_a_class_that_is_used_up_leaves_the_others(tmp_path: Path) -> None:
    source = [labelled(number, label) for number, label in enumerate("aaabcd")]
    synthesized(recipe_of(tmp_path, positives=5, negatives=5), source)
    queries, pairs = made(tmp_path)
    assert len(queries) == 3
    for query in queries:
        own = Counter(pair.label for pair in pairs if pair.query_id == query)
        assert own == {"positive": 2, "negative": 3}


def test_rows_depend_on_no_order_of_documents_and_on_the_seed(tmp_path: Path) -> None:
    source = [labelled(number, "abcd"[number % 4]) for number in range(40)]
    one = synthesized(recipe_of(tmp_path / "one", members=5), source)
    two = synthesized(recipe_of(tmp_path / "two", members=5), source[::-1], "--direct_runner_bundle_repeat=1")
    three = synthesized(recipe_of(tmp_path / "three", members=5, seed=1), source)
    assert digests(one) == digests(two)
    assert digests(one) != digests(three)


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["a", "b", None])), unique_by=lambda each: each[0]))
def test_members_are_the_same_however_the_table_is_cut(rows: list[tuple[int, str | None]]) -> None:
    documents = [labelled(number, label) for number, label in rows]
    table = to_arrow(Document, documents).select(["doc_id", "dataset", "group", "text_hash"])
    whole = read_members([table], 3)
    assert whole == read_members([table.slice(place, 1) for place in reversed(range(len(rows)))], 3)
    for label in ("a", "b"):
        having = sum(each == label for _, each in rows)
        assert len(whole.get("shop", {}).get(label, ())) == min(3, having)


def test_it_stands_beside_other_writers_and_asks_no_model(tmp_path: Path) -> None:
    source = [replace(each, group="ab"[place % 2]) for place, each in enumerate(docstrings()[:20])]
    recipe = recipe_for(tmp_path, synthesize={"writers": ["extractive/inverse_cloze", NAME]})
    synthesized(recipe, source)
    queries, _ = made(tmp_path)
    assert {each.origin for each in queries.values()} == {"human", "extractive"}


def ingest(tmp_path: Path, lines: list[dict[str, object]], **source: object) -> list[Document]:
    path = tmp_path / "set.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines), encoding="utf-8")
    keys = {"path": str(path), "columns": {"label": "intent"}, **source}
    recipe = recipe_for(tmp_path / "out", sources=[Source.model_validate(keys)])
    run_stage(recipe, "ingest")
    return rows_of(tmp_path / "out", "ingest", "documents", Document)


def test_a_label_column_becomes_the_documents_group(tmp_path: Path) -> None:
    rows = ingest(tmp_path, [{"text": "a", "intent": "pay"}, {"text": "b", "intent": 7}, {"text": "c", "intent": None}])
    assert {each.text: (each.group, each.metadata) for each in rows} == {
        "a": ("pay", None),
        "b": ("7", None),
        "c": (None, None),
    }


@pytest.mark.parametrize(
    ("row", "more", "said"),
    [
        ({"text": "a", "intent": "x"}, {"group": "intent"}, "columns.label and group both say"),
        ({"text": "a", "query": "q", "intent": "x"}, {}, "its rows have a query"),
    ],
)
def test_a_label_column_that_cannot_be_meant_is_an_error(
    tmp_path: Path, row: dict[str, object], more: dict[str, object], said: str
) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(CallError, match=said):
        check_source(Source.model_validate({"path": str(path), "columns": {"label": "intent"}, **more}))


def test_a_missing_label_column_is_a_reject_that_names_it(tmp_path: Path) -> None:
    rows = ingest(tmp_path, [{"text": "a", "intent": "x"}, {"text": "b"}], reject_share=1.0)
    assert [each.text for each in rows] == ["a"]
    (reject,) = rows_of(tmp_path / "out", "ingest", "rejects", Reject)
    assert reject.reason == "missing_column"
    assert "the column 'intent' (columns.label) is missing" in reject.detail


def test_banking77_gives_a_row_for_every_text(tmp_path: Path) -> None:
    path = data_folder("banking77") / "train.jsonl"
    source = {"path": str(path), "dataset": "banking77", "columns": {"label": "label"}}
    recipe = recipe_for(tmp_path, sources=[Source.model_validate(source)], synthesize={"writers": [NAME]})
    run_stage(recipe, "ingest")
    tables = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
    manifest = run_stage(recipe, "synthesize", tables)
    queries, pairs = made(tmp_path)
    documents = {each.doc_id: each.group for each in rows_of(tmp_path, "ingest", "documents", Document)}
    assert len(queries) == len(documents) == manifest.books.kept.count
    assert len({each.group for each in queries.values()}) == 77
    for pair in pairs:
        assert (documents[pair.doc_id] == queries[pair.query_id].group) == (pair.label == "positive")
    shown = Counter(pair.doc_id for pair in pairs if pair.label == "positive")
    assert max(shown.values()) < 10, "no text is the positive of many"
    sizes = Counter(documents.values())
    against = Counter(documents[pair.doc_id] for pair in pairs if pair.label == "negative")
    assert min(against.values()) > 0.5 * len(documents) / len(sizes), "small classes are negatives as often as large"
