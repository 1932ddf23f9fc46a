"""The sentence-transformers format: columns in order and no others, one width a folder, the tables' own texts."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_world import TEXTS, document, finish_world, query, read_train, triple
from oreline.encoders.prefixes import Prefixes
from oreline.exporters.examples import Example
from oreline.exporters.sentence_transformers import column_names, unfit
from oreline.exporters.sentence_transformers import rows_of as training_rows
from oreline.exporters.texts import PLAIN, Texts
from oreline.records import FateRow, Reject, Triple

from house import recipe_for, rows_of, run_stage

INPUTS = {"triples": "select", "documents": "synthesize", "queries": "filter"}


def export(output: Path, triples: list[Triple], **settings: object) -> Path:
    recipe = recipe_for(output, export=settings, select={"negatives": 3})
    finish_world(recipe, triples)
    run_stage(recipe, "export", INPUTS)
    return output / "train" / "sentence-transformers"


def test_columns_are_anchor_positive_and_negatives_in_order_and_nothing_else(tmp_path: Path) -> None:
    folder = export(tmp_path, [triple("q0", ["d0"], ["d1", "d2", "d3"])])
    (path,) = folder.rglob("*.parquet")
    schema = pq.read_schema(path)
    assert schema.names == ["anchor", "positive", "negative_1", "negative_2", "negative_3"]
    assert schema.metadata is None
    assert {str(kind) for kind in schema.types} == {"string"}


def test_every_row_holds_the_texts_of_its_documents(tmp_path: Path) -> None:
    triples = [triple(f"q{n}", [f"d{n}"], [f"d{n + 1}", f"d{n + 2}", f"d{n + 3}"]) for n in range(40)]
    rows = read_train(export(tmp_path, triples))
    expected = {(f"question {n}", TEXTS[n], TEXTS[n + 1], TEXTS[n + 2], TEXTS[n + 3]) for n in range(40)}
    assert set(rows) == expected
    assert len(rows) == 40


def test_rows_are_grouped_by_dataset_width_and_split(tmp_path: Path) -> None:
    triples = [
        triple("q0", ["d0"], ["d1", "d2", "d3"]),
        triple("q1", ["d0"], ["d1"], short="corpus"),
        triple("q2", ["d0"], [], short="spare"),
        triple("q3", ["d0"], ["d1"], split="test"),
        triple("q4", ["d0"], ["d1"], dataset="other"),
    ]
    folder = export(tmp_path, triples)
    found = {str(path.parent.relative_to(folder)) for path in folder.rglob("*.parquet")}
    assert found == {
        "world/negatives-3/train",
        "world/negatives-1/train",
        "world/negatives-0/train",
        "world/negatives-1/test",
        "other/negatives-1/train",
    }
    assert pl.read_parquet(folder / "world" / "negatives-0" / "train").columns == ["anchor", "positive"]


def test_several_positives_make_several_rows_or_the_first_alone(tmp_path: Path) -> None:
    triples = [triple("q0", ["d0", "d4", "d5"], ["d1", "d2", "d3"])]
    expanded = read_train(export(tmp_path / "expand", triples, positives="expand"))
    assert [row[1] for row in expanded] == [TEXTS[0], TEXTS[4], TEXTS[5]]
    assert {row[2:] for row in expanded} == {(TEXTS[1], TEXTS[2], TEXTS[3])}
    first = read_train(export(tmp_path / "first", triples, positives="first"))
    assert [row[1] for row in first] == [TEXTS[0]]


def test_short_rows_are_dropped_with_a_reason_when_asked(tmp_path: Path) -> None:
    triples = [triple("q0", ["d0"], ["d1", "d2", "d3"]), triple("q1", ["d0"], ["d1"], short="corpus")]
    rows = read_train(export(tmp_path, triples, short_rows="drop"))
    assert [row[0] for row in rows] == ["question 0"]
    (reject,) = rows_of(tmp_path, "export", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.by) == ("world/q1", "format_cannot_hold", "sentence-transformers")
    assert "1 negatives, the others 3" in reject.detail
    assert rows_of(tmp_path, "export", "fates", FateRow) == [FateRow("world/q1", "dropped")]


def test_a_row_that_another_format_holds_is_kept_and_its_reject_names_the_format(tmp_path: Path) -> None:
    triples = [triple("q1", ["d0"], ["d1"], short="corpus")]
    export(tmp_path, triples, short_rows="drop", formats=["sentence-transformers", "jsonl"])
    assert rows_of(tmp_path, "export", "fates", FateRow) == []
    (reject,) = rows_of(tmp_path, "export", "rejects", Reject)
    assert reject.table == "train/sentence-transformers"
    assert len(list((tmp_path / "train" / "jsonl").rglob("*.jsonl"))) == 1


def test_prefixes_are_the_registry_s_when_asked(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, export={"prefixes": True}, encoder={"model": "intfloat/e5-small"})
    finish_world(recipe, [triple("q0", ["d0"], ["d1"])])
    run_stage(recipe, "export", INPUTS)
    (row,) = read_train(tmp_path / "train" / "sentence-transformers")
    assert row == ("query: question 0", f"passage: {TEXTS[0]}", f"passage: {TEXTS[1]}")


def test_a_title_stands_on_the_line_before_the_text(tmp_path: Path) -> None:
    (row,) = read_train(export(tmp_path, [triple("q0", ["titled"], ["d1", "d2", "d3"])]))
    assert row[1] == "A title\nbody"


def test_many_small_row_groups_make_one_file_a_group(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    triples = [triple(f"q{n}", ["d0"], ["d1"]) for n in range(20)]
    finish_world(recipe, triples, parts=10)
    run_stage(recipe, "export", INPUTS)
    assert len(list((tmp_path / "train").rglob("*.parquet"))) == 1
    assert len(read_train(tmp_path / "train" / "sentence-transformers")) == 20


def test_a_repeated_bundle_leaves_every_row_once(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish_world(recipe, [triple(f"q{n}", ["d0"], ["d1"]) for n in range(5)])
    manifest = run_stage(recipe, "export", INPUTS, ["--direct_runner_bundle_repeat=1"])
    assert manifest.rows("train/sentence-transformers") == 5
    assert manifest.books.units.count == manifest.books.kept.count == 5


def test_an_export_of_the_same_triples_keeps_its_files(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish_world(recipe, [triple(f"q{n}", ["d0"], ["d1"]) for n in range(5)])
    first = run_stage(recipe, "export", INPUTS)
    again = run_stage(recipe, "export", INPUTS)
    assert again.tables["train/sentence-transformers"] == first.tables["train/sentence-transformers"]


def test_equal_texts_in_another_split_are_other_content(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish_world(recipe, [triple("q0", ["d0"], ["d1"], split="train")])
    first = run_stage(recipe, "export", INPUTS)
    finish_world(recipe, [triple("q0", ["d0"], ["d1"], split="test")])
    again = run_stage(recipe, "export", INPUTS)
    (part,) = again.tables["train/sentence-transformers"]
    assert "/test/" in part.path
    assert again.digest("train/sentence-transformers") != first.digest("train/sentence-transformers")


def test_a_split_s_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    folder = export(tmp_path, [triple("q0", ["d0"], ["d1", "d2", "d3"], split="../../x y")])
    (path,) = tmp_path.rglob("train/**/*.parquet")
    assert path.parent == folder / "world" / "negatives-3" / "..%2F..%2Fx%20y"


def test_a_triple_without_its_document_fails_the_stage(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish_world(recipe, [triple("q0", ["nowhere"], ["d1"])])
    with pytest.raises(pytest.fail.Exception, match="world/nowhere"):
        run_stage(recipe, "export", INPUTS)


def test_a_negative_that_renders_to_the_positive_s_text_cannot_be_held() -> None:
    positive, negative = document("p", "b\nc", title="a"), document("n", "c", title="a\nb")
    example = Example(triple("q0", ["p"], ["n"]), query("q0", "question"), (positive,), (negative,))
    problem = unfit(example, training_rows(example, PLAIN, "expand"), "group", 1)
    assert problem is not None
    assert "world/n has the same rendered text as a positive" in problem


@given(
    st.lists(st.text(max_size=5), min_size=1, max_size=3, unique=True),
    st.lists(st.text(max_size=5), max_size=4),
    st.sampled_from(["expand", "first"]),
    st.sampled_from(["", "passage: ", "title: {title} | text: "]),
)
def test_no_row_that_is_written_has_its_positive_as_a_negative(
    positives: list[str], negatives: list[str], how: str, prefix: str
) -> None:
    texts = Texts(Prefixes("query: ", prefix))
    example = Example(
        triple("q0", [f"p{n}" for n in range(len(positives))], [f"n{n}" for n in range(len(negatives))]),
        query("q0", "question"),
        tuple(document(f"p{n}", text) for n, text in enumerate(positives)),
        tuple(document(f"n{n}", text) for n, text in enumerate(negatives)),
    )
    rows = training_rows(example, texts, how)
    held = unfit(example, rows, "group", 4) is None
    shared = {texts.document(each) for each in example.negatives} & {row[1] for row in rows}
    assert held == (not shared)
    assert all(len(row) == len(column_names(len(negatives))) for row in rows)
