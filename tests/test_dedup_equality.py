"""The same clusters by every road, every rule of who stays, and input that is bad."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from dedup_world import SENTENCE, dedup, digests, document
from oreline.records import Document, Reject, Signature
from oreline.tables.manifest import Manifest

from house import recipe_for, rows_of

LONG = " ".join([SENTENCE] * 3)
EDITED = SENTENCE.replace("warm", "cold") + " " + SENTENCE + " " + SENTENCE


def world() -> list[Document]:
    """Families of edited copies, and a chain in which each document is like the next one and no other."""
    documents = []
    for family in range(40):
        words = [f"w{family}x{place}" for place in range(80)]
        for member in range(1 + family % 6):
            edited = [*words[:30], f"edit{member // 2}", *words[30:]]
            documents.append(document(f"{family:02}-{member}", " ".join(edited)))
    chain = [f"c{place}" for place in range(400)]
    documents += [document(f"chain{place:02}", " ".join(chain[4 * place : 4 * place + 80])) for place in range(60)]
    return documents


def run(output: Path, documents: list[Document], settings: Mapping[str, object], **others: object) -> Manifest:
    return dedup(recipe_for(output, dedup=settings, **others), documents)


def test_clusters_are_the_same_shuffled_on_three_workers_and_distributed(tmp_path: Path) -> None:
    documents = world()
    one = run(tmp_path / "one", documents, {})
    turned = run(tmp_path / "turned", documents[::-1], {"components": "distributed"})
    three = run(tmp_path / "three", documents, {"components": "distributed"}, beam={"workers": 3})
    assert one.drops["near_duplicate"] > 50
    assert {each.cluster for each in rows_of(tmp_path / "one", "dedup", "signatures", Signature)} > {None, "d/chain00"}
    assert digests(one) == digests(turned) == digests(three)
    assert one.digest("signatures") == turned.digest("signatures") == three.digest("signatures")


def test_chains_longer_than_the_rounds_are_finished_on_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = world()
    one = run(tmp_path / "one", documents, {})
    monkeypatch.setattr("oreline.stages.components.ROUNDS", 1)
    assert digests(run(tmp_path / "short", documents, {"components": "distributed"})) == digests(one)


@pytest.mark.parametrize("verify", ["jaccard", "edit", "none"])
def test_what_is_compared_may_come_in_any_number_of_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verify: str
) -> None:
    documents = world()
    one = run(tmp_path / "one", documents, {"verify": verify})
    monkeypatch.setattr("oreline.minhash.comparing._BLOCK_VALUES", 300)
    monkeypatch.setattr("oreline.minhash.comparing._BLOCK_EDGES", 7)
    monkeypatch.setattr("oreline.shuffle.FLUSH_BYTES", 4_000)
    assert digests(run(tmp_path / "blocks", documents, {"verify": verify})) == digests(one)
    assert one.drops["near_duplicate"] > 50


@pytest.mark.parametrize(("keep", "keeper"), [("smallest_id", "d/a"), ("longest", "d/b"), ("highest_score", "d/c")])
def test_the_recipe_says_which_document_of_a_cluster_stays(tmp_path: Path, keep: str, keeper: str) -> None:
    documents = [
        document("a", LONG),
        document("b", EDITED + " and so on"),
        document("c", EDITED),
    ]
    scores = [{"stars": 1}, {"stars": "none"}, {"stars": "4.5"}]
    documents = [
        Document(**{**vars(each), "metadata": json.dumps(score)}) for each, score in zip(documents, scores, strict=True)
    ]
    score = {"score": "stars"} if keep == "highest_score" else {}
    run(tmp_path, documents, {"keep": keep, **score})
    assert [each.doc_id for each in rows_of(tmp_path, "dedup", "documents", Document)] == [keeper]
    for reject in rows_of(tmp_path, "dedup", "rejects", Reject):
        assert reject.by == keeper
        named = "cluster of" if keeper == "d/a" else "cluster d/a of"
        assert f"{named} 3 documents kept as {keeper}" in reject.detail


def test_edit_similarity_keeps_what_has_the_same_shingles_in_another_order(tmp_path: Path) -> None:
    blocks = [" ".join(f"b{block}w{place}" for place in range(60)) for block in range(4)]
    documents = [document("a", " ".join(blocks)), document("b", " ".join(reversed(blocks)))]
    assert run(tmp_path / "jaccard", documents, {}).drops == {"near_duplicate": 1}
    assert run(tmp_path / "edit", documents, {"verify": "edit"}).drops == {}
    near = [document("a", LONG + " " + LONG), document("b", LONG + " " + EDITED)]
    assert run(tmp_path / "near", near, {"verify": "edit"}).drops == {"near_duplicate": 1}


def test_without_verification_candidates_are_duplicates(tmp_path: Path) -> None:
    documents = [document("a", "a b c d e f g h"), document("b", "a b c d e f g x y z")]
    loose = {"ngram": 2, "bands": 96, "rows": 1, "threshold": 0.9}
    assert run(tmp_path / "verified", documents, loose).drops == {}
    assert run(tmp_path / "plain", documents, {**loose, "verify": "none"}).drops == {"near_duplicate": 1}


def test_character_ngrams_find_what_differs_inside_words(tmp_path: Path) -> None:
    text = " ".join(f"compartmentalization{place}" for place in range(20))
    documents = [document("a", text), document("b", text.replace("compart", "Kompart", 3))]
    assert run(tmp_path / "words", documents, {"ngram": 2}).drops == {}
    assert run(tmp_path / "signs", documents, {"unit": "character", "ngram": 8}).drops == {"near_duplicate": 1}


def test_many_equal_rows_cost_no_more_than_their_number(tmp_path: Path) -> None:
    documents = [document(f"{place:05}", LONG) for place in range(20_000)]
    manifest = run(tmp_path, documents, {})
    assert manifest.drops == {"exact_duplicate": 19_999}
    assert [each.doc_id for each in rows_of(tmp_path, "dedup", "documents", Document)] == ["d/00000"]


def test_rows_that_are_all_different_all_stay(tmp_path: Path) -> None:
    documents = [document(str(row), " ".join(f"r{row}w{place}" for place in range(9))) for row in range(3_000)]
    assert run(tmp_path, documents, {}).books.kept.count == 3_000
    assert {each.cluster for each in rows_of(tmp_path, "dedup", "signatures", Signature)} == {None}


def test_a_huge_row_and_its_near_copy_are_compared(tmp_path: Path) -> None:
    huge = " ".join(f"w{place}" for place in range(600_000))
    documents = [document("a", huge), document("b", huge + " end"), document("c", "small")]
    manifest = run(tmp_path, documents, {"verify": "edit"})
    assert manifest.drops == {"near_duplicate": 1}


@pytest.mark.parametrize("threshold", [1.0, 0.999])
def test_at_a_threshold_of_one_only_equal_shingles_are_duplicates(tmp_path: Path, threshold: float) -> None:
    documents = [document("a", LONG), document("b", LONG, "Title"), document("c", EDITED)]
    documents.append(document("d", SENTENCE + " " + SENTENCE + " " + SENTENCE + " " + SENTENCE))
    manifest = run(tmp_path, documents, {"threshold": threshold})
    # d says the sentence once more: other text, the same shingles.
    assert manifest.drops == {"near_duplicate": 1}


def test_signatures_are_kept_for_all_documents_unless_the_recipe_says_nothing(tmp_path: Path) -> None:
    documents = [document("a", LONG), document("b", EDITED), document("c", "short")]
    run(tmp_path / "signatures", documents, {})
    rows = {each.doc_id: each for each in rows_of(tmp_path / "signatures", "dedup", "signatures", Signature)}
    assert {doc_id: (each.cluster, each.keeper) for doc_id, each in rows.items()} == {
        "d/a": ("d/a", None),
        "d/b": ("d/a", "d/a"),
        "d/c": (None, None),
    }
    assert [len(each.signature or b"") for each in rows.values()] == [448, 448, 0]
    assert {each.shingles for each in rows.values()} == {None}
    run(tmp_path / "shingles", documents, {"remember": "shingles"})
    kept = rows_of(tmp_path / "shingles", "dedup", "signatures", Signature)
    assert len(kept[0].shingles or b"") == 4 * len(SENTENCE.split())
    assert run(tmp_path / "nothing", documents, {"remember": "nothing"}).rows("signatures") == 0
