"""New against old: a finished run's signatures stand for its documents, and two runs find the clusters of one."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from dedup_world import INPUTS, SENTENCE, dedup, document, pair
from oreline.errors import PreflightError
from oreline.fingerprint import pending
from oreline.job import Job
from oreline.minhash.grams import Shape, shingles_of
from oreline.minhash.parameters import Parameters
from oreline.minhash.remembered import known_problems, unshared_datasets
from oreline.minhash.similarity import jaccard
from oreline.minhash.steps import Steps
from oreline.preflight import check
from oreline.recipe.loading import recipe_from
from oreline.records import Document, Pair, Reject, Signature
from oreline.stages.catalog import BY_NAME

from house import finish, recipe_for, rows_of

LONG = " ".join([SENTENCE] * 3)
EDITED = SENTENCE.replace("warm", "cold") + " " + SENTENCE + " " + SENTENCE


def world() -> list[Document]:
    """Families of edited copies; members of a family differ by one to three words of 200."""
    documents = []
    for family in range(30):
        words = [f"w{family}x{place}" for place in range(200)]
        for member in range(1 + family % 5):
            edited = [
                f"e{member}" if place in (10 + member // 2, 20 + member) else word for place, word in enumerate(words)
            ]
            documents.append(document(f"{family:02}-{member}", " ".join(edited if member else words)))
    return documents


def clusters(output: Path) -> dict[str, str | None]:
    return {each.doc_id: each.cluster for each in rows_of(output, "dedup", "signatures", Signature)}


def run(output: Path, documents: Sequence[Document], **settings: object) -> Mapping[str, int]:
    return dedup(recipe_for(output, dedup=settings), documents).drops


@pytest.mark.parametrize("verify", ["jaccard", "none"])
def test_two_runs_find_the_clusters_of_one(tmp_path: Path, verify: str) -> None:
    documents = world()
    old, new = documents[::2], documents[1::2]
    shared = {"verify": verify, "remember": "shingles"}
    run(tmp_path / "one", documents, **shared)
    run(tmp_path / "old", old, **shared)
    shutil.rmtree(tmp_path / "old" / "dedup" / "documents")  # its texts are not needed
    shutil.rmtree(tmp_path / "old" / "ingest")
    run(tmp_path / "new", new, **shared, against=[str(tmp_path / "old")])
    expected = clusters(tmp_path / "one")
    assert len(set(expected.values())) > 20
    assert clusters(tmp_path / "new") == {each.doc_id: expected[each.doc_id] for each in new}
    kept_by_two = [each for name in ("old", "new") for each in kept(tmp_path / name)]
    assert {expected[each] or each for each in kept_by_two} == {
        expected[each] or each for each in kept(tmp_path / "one")
    }


def kept(output: Path) -> list[str]:
    return [each.doc_id for each in rows_of(output, "dedup", "signatures", Signature) if each.keeper is None]


def test_a_near_duplicate_of_a_known_document_is_dropped_by_an_estimate_that_says_so(tmp_path: Path) -> None:
    run(tmp_path / "old", [document("a", LONG)])
    drops = run(tmp_path / "new", [document("b", EDITED), document("c", LONG.upper())], against=[str(tmp_path / "old")])
    assert drops == {"near_duplicate": 1, "exact_duplicate": 1}
    near, exact = sorted(rows_of(tmp_path / "new", "dedup", "rejects", Reject), key=lambda each: each.row_id)
    assert near.by == exact.by == "d/a"
    assert "with d/a of dedup.against (estimated from 112 signature values)" in near.detail
    assert "title and text equal those of d/a of dedup.against after normalisation" in exact.detail


def rejects(output: Path) -> Mapping[str, Reject]:
    return {each.row_id: each for each in rows_of(output, "dedup", "rejects", Reject)}


def test_a_similarity_is_told_with_the_document_it_was_measured_with(tmp_path: Path) -> None:
    """Known is b alone, which had gone for a of a run before; c is like b and not like a, and d equals b."""
    words = [f"w{place}" for place in range(200)]
    edits = [f"e{place}" for place in range(36)]
    edited = [words, [*edits[:18], *words[18:]], [*edits[:18], *words[18:-18], *edits[18:]]]
    texts = [" ".join(each) for each in edited]
    run(tmp_path / "first", [document("a", texts[0])], remember="shingles")
    run(tmp_path / "old", [document("b", texts[1])], remember="shingles", against=[str(tmp_path / "first")])
    assert rejects(tmp_path / "old")["d/b"].by == "d/a"
    against = [str(tmp_path / "old")]
    run(tmp_path / "new", [document("c", texts[2]), document("d", texts[1].upper())], against=against)
    found = rejects(tmp_path / "new")
    assert found["d/c"].by == found["d/d"].by == "d/a"
    with_b = jaccard(*(shingles_of(pa.array([texts[place]]), "text", Shape(5)) for place in (1, 2)))[0]
    gone = "d/b of dedup.against, which had gone for d/a"
    assert with_b == 178 / 214
    assert f"Jaccard similarity {with_b:.3f} of word 5-grams with {gone}; cluster" in found["d/c"].detail
    assert found["d/d"].detail.startswith(f"title and text equal those of {gone} after normalisation; cluster")


def test_only_what_is_estimated_is_called_so(tmp_path: Path) -> None:
    other = " ".join(f"other{place}" for place in range(90))
    run(tmp_path / "exact", [document("a", LONG)], remember="shingles")
    run(tmp_path / "signed", [document("b", other)])
    against = [str(tmp_path / "exact"), str(tmp_path / "signed")]
    run(tmp_path / "new", [document("c", EDITED), document("d", f"{other} and"), document("e", other)], against=against)
    found = rejects(tmp_path / "new")
    assert {row: "estimated" in each.detail for row, each in found.items()} == {
        "d/c": False,
        "d/d": True,
        "d/e": False,
    }


def test_an_output_that_is_listed_twice_is_known_once(tmp_path: Path) -> None:
    run(tmp_path / "old", [document("a", LONG)])
    once = [str(tmp_path / "old")]
    twice = [*once, f"{tmp_path}/./old/"]
    for name, against in (("once", once), ("twice", twice)):
        run(tmp_path / name, [document("b", EDITED)], against=against)
    assert rejects(tmp_path / "once") == rejects(tmp_path / "twice")
    assert "cluster of 2 documents" in rejects(tmp_path / "twice")["d/b"].detail


def test_a_known_document_is_never_written_and_pairs_keep_their_texts(tmp_path: Path) -> None:
    run(tmp_path / "old", [document("a", LONG)])
    recipe = recipe_for(tmp_path / "new", dedup={"against": [str(tmp_path / "old")]})
    dedup(recipe, [document("b", LONG), document("c", LONG), document("x", "other")], [pair("q", "c")])
    assert [each.doc_id for each in rows_of(tmp_path / "new", "dedup", "documents", Document)] == ["d/b", "d/x"]
    assert rows_of(tmp_path / "new", "dedup", "pairs", Pair) == [pair("q", "b")]


def test_short_texts_are_compared_with_known_ones_exactly(tmp_path: Path) -> None:
    run(tmp_path / "old", [document("a", "two words"), document("z", "more than four words here")])
    drops = run(
        tmp_path / "new", [document("b", "Two, words"), document("c", "three")], against=[str(tmp_path / "old")]
    )
    assert drops == {"exact_duplicate": 1}


def test_datasets_of_other_names_meet_within_the_corpus_only(tmp_path: Path) -> None:
    run(tmp_path / "old", [document("a", LONG, dataset="first")])
    against = [str(tmp_path / "old")]
    assert run(tmp_path / "apart", [document("b", LONG)], against=against) == {}
    assert run(tmp_path / "new", [document("b", LONG)], against=against, within="corpus") == {"exact_duplicate": 1}


def test_the_fingerprint_holds_what_is_known_and_not_where(tmp_path: Path) -> None:
    documents = [document("b", LONG)]
    run(tmp_path / "old", [document("a", LONG)])
    shutil.copytree(tmp_path / "old", tmp_path / "moved")
    run(tmp_path / "other", [document("c", EDITED)])
    prints = {}
    for name in ("old", "moved", "other"):
        recipe = recipe_for(tmp_path / "new", dedup={"against": [str(tmp_path / name)]})
        finish(recipe, "ingest", {"documents": documents, "pairs": []})
        prints[name] = pending(recipe, BY_NAME["dedup"], "").fingerprint
    assert prints["old"] == prints["moved"] != prints["other"]


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"remember": "nothing"}, "remembers nothing; run its recipe with dedup.remember: signatures"),
        ({"ngram": 3}, r"signatures of .* have ngram 3 \(here 5\)"),
        ({"seed": 2}, r"seed 2 \(here 1\)"),
        ({"bands": 10}, r"permutations 80 \(here 112\)"),
    ],
)
def test_outputs_that_cannot_be_compared_with_are_refused(
    tmp_path: Path, theirs: Mapping[str, object], message: str
) -> None:
    run(tmp_path / "old", [document("a", LONG)], **theirs)
    recipe = recipe_for(tmp_path / "new", dedup={"against": [str(tmp_path / "old")]})
    (problem,) = known_problems(recipe, Parameters.of(recipe.dedup))
    assert re.search(message, problem)


def test_an_output_without_dedup_is_refused(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path / "new", dedup={"against": [str(tmp_path / "none")]})
    (problem,) = known_problems(recipe, Parameters.of(recipe.dedup))
    assert "has no finished dedup" in problem


def test_an_empty_known_output_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path / "old", [])
    recipe = recipe_for(tmp_path / "new", dedup={"against": [str(tmp_path / "old")]})
    assert list(known_problems(recipe, Parameters.of(recipe.dedup))) == []
    assert dedup(recipe, [document("a", "x")]).books.kept.count == 1


def test_known_documents_count_for_the_number_of_ranges_that_a_machine_holds_one_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oreline.minhash.steps._RANGE_ROWS", 2)
    run(tmp_path / "old", [document(name, f"text {name}") for name in "abcd"])
    recipe = recipe_for(tmp_path / "new", dedup={"against": [str(tmp_path / "old")]})
    manifest = dedup(recipe, [document("e", "text a"), document("f", "another")])
    assert manifest.drops == {"exact_duplicate": 1}
    job = Job(recipe.output, "dedup", recipe, INPUTS)
    assert Steps(job, Parameters.of(recipe.dedup)).ranges() == 1 + (4 + 2) // 2


def test_known_outputs_without_a_dataset_of_this_recipe_are_refused_with_the_remedy(tmp_path: Path) -> None:
    run(tmp_path / "old", [document("a", LONG), document("b", SENTENCE, dataset="e")])
    against = [str(tmp_path / "old")]
    recipe = recipe_for(tmp_path / "new", dedup={"against": against})
    (problem,) = unshared_datasets(recipe, {"other"})
    assert "holds d, e, but this recipe's datasets are other" in problem
    assert "set dedup.within: corpus" in problem
    assert list(unshared_datasets(recipe, {"other", "e"})) == []
    anywhere = recipe_for(tmp_path / "new", dedup={"against": against, "within": "corpus"})
    assert list(unshared_datasets(anywhere, {"other"})) == []
    source = tmp_path / "other.jsonl"
    source.write_text('{"id": "a", "text": "one two three four five"}\n')
    written = {"output": str(tmp_path / "new"), "sources": [{"path": str(source)}], "dedup": {"against": against}}
    with pytest.raises(PreflightError, match=r"set dedup\.within: corpus"):
        check(recipe_from(written))
