"""The stage dedup: what is dropped, where pairs go, and that its books balance whatever the runner does."""

from pathlib import Path

import pytest

from dedup_world import INPUTS, SENTENCE, dedup, digests, document, pair
from oreline.commit import Pending, read_outcome
from oreline.errors import RecipeError
from oreline.heartbeat import read_heartbeats
from oreline.ids import Tally
from oreline.job import Job
from oreline.records import Document, FateRow, Pair, Reject
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME

from house import finish, recipe_for, rows_of, run_stage

EDITED = SENTENCE.replace("warm", "cold") + " " + SENTENCE + " " + SENTENCE
ORIGINAL = SENTENCE + " " + SENTENCE + " " + SENTENCE
REPEAT = "--direct_runner_bundle_repeat=1"


def kept_ids(output: Path) -> list[str]:
    return sorted(each.doc_id for each in rows_of(output, "dedup", "documents", Document))


def test_a_document_of_equal_title_and_text_is_dropped_in_favour_of_the_smallest_id(tmp_path: Path) -> None:
    documents = [document("b", "Open, the GATE!", "One"), document("a", "open the gate", "one"), document("c", "x")]
    manifest = dedup(recipe_for(tmp_path), documents)
    assert kept_ids(tmp_path) == ["d/a", "d/c"]
    (reject,) = rows_of(tmp_path, "dedup", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.by) == ("d/b", "exact_duplicate", "d/a")
    assert reject.payload == "One\nOpen, the GATE!"
    assert "equal those of d/a after normalisation; cluster of 2 documents kept as d/a" in reject.detail
    assert rows_of(tmp_path, "dedup", "fates", FateRow) == [FateRow("d/b", "dropped", None)]
    assert manifest.drops == {"exact_duplicate": 1}


def test_equal_texts_with_different_titles_are_two_documents(tmp_path: Path) -> None:
    documents = [document("a", "short text", "One"), document("b", "short text", "Two")]
    dedup(recipe_for(tmp_path), documents)
    assert kept_ids(tmp_path) == ["d/a", "d/b"]


def test_the_same_text_in_two_datasets_stays_in_both(tmp_path: Path) -> None:
    documents = [document("a", ORIGINAL), document("b", ORIGINAL, dataset="e")]
    dedup(recipe_for(tmp_path), documents)
    assert kept_ids(tmp_path) == ["d/a", "e/b"]


def test_a_near_duplicate_is_dropped_with_its_similarity(tmp_path: Path) -> None:
    dedup(recipe_for(tmp_path), [document("a", ORIGINAL), document("b", EDITED)])
    (reject,) = rows_of(tmp_path, "dedup", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.by) == ("d/b", "near_duplicate", "d/a")
    assert reject.detail.startswith("Jaccard similarity 0.808 of word 5-grams with d/a; cluster of 2 documents")


@pytest.mark.parametrize("label", ["positive", "partial", "negative"])
def test_a_near_duplicate_that_is_judged_stays_and_its_pair_stays_with_it(label: str, tmp_path: Path) -> None:
    judged = Pair("d/q", "d/b", label, "human")  # type: ignore[arg-type]  # parametrize gives plain strings
    dedup(recipe_for(tmp_path), [document("a", ORIGINAL), document("b", EDITED)], [judged])
    assert kept_ids(tmp_path) == ["d/a", "d/b"]
    assert rows_of(tmp_path, "dedup", "pairs", Pair) == [judged]


def test_the_pair_of_an_exact_duplicate_moves_to_its_keeper(tmp_path: Path) -> None:
    dedup(recipe_for(tmp_path), [document("a", "x y"), document("b", "X, y")], [pair("q", "b")])
    assert rows_of(tmp_path, "dedup", "pairs", Pair) == [pair("q", "a")]


def test_a_judged_copy_of_a_near_duplicate_stays_as_the_first_of_its_equals(tmp_path: Path) -> None:
    documents = [document("a", ORIGINAL), document("b", EDITED), document("c", EDITED.upper())]
    dedup(recipe_for(tmp_path), documents, [pair("q", "c")])
    assert kept_ids(tmp_path) == ["d/a", "d/b"]
    assert rows_of(tmp_path, "dedup", "pairs", Pair) == [pair("q", "b")]


def test_copies_of_a_dropped_near_duplicate_go_with_it(tmp_path: Path) -> None:
    documents = [document("a", ORIGINAL), document("b", EDITED), document("c", EDITED.upper())]
    dedup(recipe_for(tmp_path), documents)
    assert kept_ids(tmp_path) == ["d/a"]
    rejects = {each.row_id: each for each in rows_of(tmp_path, "dedup", "rejects", Reject)}
    assert rejects["d/c"].reason == "exact_duplicate"
    assert rejects["d/c"].by == "d/a"
    assert "equal those of d/b after normalisation; Jaccard similarity 0.808" in rejects["d/c"].detail


def test_pairs_that_meet_become_one_and_positive_wins(tmp_path: Path) -> None:
    pairs = [
        pair("q", "a", "negative", -1.0),
        pair("q", "b", "positive", 1.0),
        pair("q", "c", "partial"),
        pair("r", "a", "negative"),
    ]
    manifest = dedup(recipe_for(tmp_path), [document(each, "same text") for each in "abc"], pairs)
    found = rows_of(tmp_path, "dedup", "pairs", Pair)
    assert found == [pair("q", "a", "positive", 1.0), pair("r", "a", "negative")]
    assert manifest.counts["collapsed_pairs"] == 2


def test_a_searchable_document_is_kept_before_one_that_is_not(tmp_path: Path) -> None:
    documents = [document("a", "same text", searchable=False), document("b", "same text")]
    dedup(recipe_for(tmp_path), documents, [pair("q", "a")])
    assert kept_ids(tmp_path) == ["d/b"]
    assert rows_of(tmp_path, "dedup", "pairs", Pair) == [pair("q", "b")]


def test_code_that_differs_in_a_sign_is_not_a_duplicate(tmp_path: Path) -> None:
    texts = ["set -e", "set +e", "set  -e", "Set -e"]
    dedup(recipe_for(tmp_path), [document(str(place), text, content="code") for place, text in enumerate(texts)])
    assert len(kept_ids(tmp_path)) == 4


def test_an_empty_corpus_and_one_document_pass(tmp_path: Path) -> None:
    assert dedup(recipe_for(tmp_path / "none"), []).books.units == Tally()
    assert dedup(recipe_for(tmp_path / "one"), [document("a", "x")]).books.kept.count == 1


def test_parameters_that_cannot_work_are_refused_before_anything_runs(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, dedup={"threshold": 0.0})
    with pytest.raises(RecipeError, match="threshold is 0"):
        dedup(recipe, [document("a", "x")])


def test_a_requested_stop_leaves_no_manifest_and_can_be_resumed(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish(recipe, "ingest", {"documents": [document("a", ORIGINAL), document("b", EDITED)], "pairs": []})
    (tmp_path / "_progress").mkdir()
    (tmp_path / "_progress" / "stop").touch()
    run_pipeline(Job(str(tmp_path), "dedup", recipe, INPUTS), BY_NAME["dedup"], Pending("", {}, ""))
    outcome = read_outcome(str(tmp_path), "dedup")
    assert outcome is not None
    assert outcome.stopped == "interrupted"
    assert not (tmp_path / "dedup" / "manifest.json").exists()
    (tmp_path / "_progress" / "stop").unlink()
    assert run_stage(recipe, "dedup", INPUTS).books.kept.count == 1


def world() -> tuple[list[Document], list[Pair]]:
    """Families of edited copies, 1 to 6 members each, some equal, every third one judged."""
    documents, pairs = [], []
    for family in range(40):
        words = [f"w{family}x{place}" for place in range(60)]
        for member in range(1 + family % 6):
            edited = [*words[:30], f"edit{member // 2}", *words[30:]]
            documents.append(document(f"{family:02}-{member}", " ".join(edited)))
            if (family + member) % 3 == 0:
                pairs.append(pair(f"q{family}", f"{family:02}-{member}"))
    return documents, pairs


def test_results_do_not_depend_on_order_workers_or_repeated_bundles(tmp_path: Path) -> None:
    documents, pairs = world()
    one = dedup(recipe_for(tmp_path / "one"), documents, pairs)
    repeated = dedup(recipe_for(tmp_path / "repeated"), documents, pairs, REPEAT)
    turned = dedup(recipe_for(tmp_path / "turned"), documents[::-1], pairs[::-1])
    two = dedup(recipe_for(tmp_path / "two", beam={"workers": 2}), documents, pairs)
    assert 0 < one.drops["near_duplicate"] < one.drops["exact_duplicate"]
    assert digests(one) == digests(repeated) == digests(turned) == digests(two)
    assert one.books == repeated.books == turned.books == two.books


def test_no_pair_dangles_and_no_judged_text_is_lost(tmp_path: Path) -> None:
    documents, pairs = world()
    dedup(recipe_for(tmp_path), documents, pairs)
    kept = {each.doc_id: each.content_hash for each in rows_of(tmp_path, "dedup", "documents", Document)}
    before = {each.doc_id: each.content_hash for each in documents}
    found = {(each.query_id, kept[each.doc_id]) for each in rows_of(tmp_path, "dedup", "pairs", Pair)}
    assert found == {(each.query_id, before[each.doc_id]) for each in pairs}


def test_progress_is_told_in_every_phase_and_a_unit_counts_once_it_is_written(tmp_path: Path) -> None:
    dedup(recipe_for(tmp_path), [document("a", ORIGINAL), document("b", EDITED), document("c", "else")])
    assert read_heartbeats(str(tmp_path), "dedup") == {"signed": 3, "pairs compared": 1, "units": 3}
