"""Select over queries with a class: what the labels say holds, whatever a judge found; other rows go as ever."""

from dataclasses import replace
from pathlib import Path

from oreline.normalise import content_hash, query_hash, text_hash
from oreline.records import Candidate, Document, Hit, Judgement, Pair, PoolEntry, Query, Scored, Triple

from house import finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest", "candidates": "mine", "judgements": "judge"}
LABELS = ("pay", "pay", "lost", "lost")


def document(place: int) -> Document:
    text = f"message {place} about {LABELS[place]} and {place * 7} more"
    return Document(f"d/{place}", "d", text, content_hash(None, text, "text"), text_hash(text, "text"))


def selected(output: Path, group: str | None) -> list[Triple]:
    recipe = recipe_for(output, select={"negatives": 2, "relabel": {"human": "best"}, "ceiling": "none"})
    query = Query("d/q", "d", "a message on paying", query_hash("a message on paying"), group=group)
    pool = [PoolEntry(f"d/{place}", score, [Hit("dense", rank, score)]) for rank, (place, score) in enumerate(
        [(2, 0.6), (3, 0.5)], start=1
    )]  # fmt: skip
    finish(
        recipe,
        "ingest",
        {
            "documents": [replace(document(place), group=label) for place, label in enumerate(LABELS)],
            "queries": [query],
            "pairs": [Pair("d/q", "d/1", "positive", "class")],
        },
    )
    finish(recipe, "mine", {"candidates": [Candidate("d/q", [Scored("d/1", 1, 0.4)], [], pool)]})
    verdicts = {"d/1": ("irrelevant", 0.0), "d/2": ("relevant", 3.0), "d/3": ("irrelevant", 0.0)}
    judgements = [Judgement("d/q", doc_id, "listwise", value, said) for doc_id, (said, value) in verdicts.items()]
    finish(recipe, "judge", {"judgements": judgements})
    run_stage(recipe, "select", INPUTS)
    return rows_of(output, "select", "triples", Triple)


def test_a_row_of_a_class_keeps_its_positive_and_its_negatives(tmp_path: Path) -> None:
    (triple,) = selected(tmp_path, "pay")
    assert [each.doc_id for each in triple.positives] == ["d/1"]
    assert [each.doc_id for each in triple.negatives] == ["d/2", "d/3"]
    assert triple.group == "pay"


def test_a_row_without_a_class_is_relabelled_as_the_recipe_says(tmp_path: Path) -> None:
    (triple,) = selected(tmp_path, None)
    assert [each.doc_id for each in triple.positives] == ["d/2"]
