"""Documents dropped for a benchmark and their duplicates: what is clean stays, whoever it is like."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from decontamination_world import text_file
from dedup_world import dedup, document
from dedup_world import pair as judged
from oreline.minhash.parameters import Parameters
from oreline.minhash.remembered import known_problems
from oreline.recipe.settings import Recipe
from oreline.records import Contamination, Document, Pair, Reject, Signature
from oreline.tables.manifest import Manifest

from house import recipe_for, rows_of

WORDS = [f"w{place}" for place in range(200)]
TEST = "how far does the common swift fly in a year"
CLEAN = "how far does the uncommon swift fly in a month"


def text(middle: str, edit: str = "") -> str:
    """Two texts of this are near-duplicates whatever is in their middle, and contaminated if that is TEST."""
    return " ".join([*WORDS[:100], middle, *WORDS[100:], edit]).strip()


def benchmarked(folder: Path, **sections: object) -> Recipe:
    path = text_file(folder.parent / "bench.txt", [TEST])
    against = {"against": [{"path": str(path)}]}
    return recipe_for(folder, decontaminate=against, **sections)


def kept(output: str | Path) -> set[str]:
    return {each.doc_id for each in rows_of(output, "dedup", "documents", Document)}


def test_a_contaminated_document_is_no_keeper_of_a_clean_near_duplicate(tmp_path: Path) -> None:
    recipe = benchmarked(tmp_path / "out")
    documents = [document("a", text(TEST)), document("b", text(CLEAN)), document("c", text(CLEAN, "once more"))]
    assert dedup(recipe_for(tmp_path / "plain"), documents).drops == {"near_duplicate": 2}, "else nothing is shown"
    manifest = dedup(recipe, documents)
    assert kept(recipe.output) == {"d/b"}
    assert manifest.drops == {"contaminated": 1, "near_duplicate": 1}
    rejects = {each.row_id: each for each in rows_of(recipe.output, "dedup", "rejects", Reject)}
    assert rejects["d/a"].by == "bench/bench.txt:1"
    assert rejects["d/c"].by == "d/b"
    assert "cluster of 2 documents kept as d/b" in rejects["d/c"].detail
    assert manifest.books.balanced


def test_a_contaminated_longest_document_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    recipe = benchmarked(tmp_path / "out", dedup={"keep": "longest"})
    dedup(recipe, [document("a", text(CLEAN)), document("b", text(TEST, "the longest of them"))])
    assert kept(recipe.output) == {"d/a"}


def test_clean_documents_that_only_a_contaminated_one_is_like_are_both_kept(tmp_path: Path) -> None:
    words = [f"x{place}" for place in range(100)]
    texts = [" ".join([*words[:-12], *(f"a{place}" for place in range(12))]), " ".join([*words, TEST]), " ".join(words)]
    texts[2] = " ".join([*(f"b{place}" for place in range(12)), *words[12:]])
    documents = [document(str(place), each) for place, each in enumerate(texts)]
    loose = {"threshold": 0.65, "bands": 40, "rows": 3}
    assert dedup(recipe_for(tmp_path / "plain", dedup=loose), documents).drops == {"near_duplicate": 2}
    recipe = benchmarked(tmp_path / "out", dedup=loose)
    assert dedup(recipe, documents).drops == {"contaminated": 1}
    assert kept(recipe.output) == {"d/0", "d/2"}


def test_a_cluster_of_contaminated_documents_goes_as_contaminated(tmp_path: Path) -> None:
    recipe = benchmarked(tmp_path / "out")
    documents = [document("a", text(TEST)), document("b", text(TEST).upper()), document("c", text(TEST, "more"))]
    manifest = dedup(recipe, documents, [judged("q", "a"), judged("q", "b"), judged("r", "c")])
    assert manifest.drops == {"contaminated": 3}
    assert kept(recipe.output) == set()
    assert rows_of(recipe.output, "dedup", "pairs", Pair) == []
    assert {each.row_id for each in rows_of(recipe.output, "dedup", "contamination", Contamination)} == {
        "d/a",
        "d/b",
        "d/c",
    }


def test_reported_documents_take_part_in_deduplication_as_any_other(tmp_path: Path) -> None:
    path = text_file(tmp_path / "bench.txt", [TEST])
    recipe = recipe_for(tmp_path / "out", decontaminate={"against": [{"path": str(path)}], "documents": "report"})
    manifest = dedup(recipe, [document("a", text(TEST)), document("b", text(CLEAN))])
    assert manifest.drops == {"near_duplicate": 1}
    assert kept(recipe.output) == {"d/a"}


def test_pairs_of_a_clean_copy_stay_though_the_document_it_would_have_moved_to_is_contaminated(tmp_path: Path) -> None:
    recipe = benchmarked(tmp_path / "out")
    documents = [document("a", text(TEST)), document("b", text(CLEAN)), document("c", text(CLEAN).upper())]
    pairs = [judged("q", "a"), judged("q", "b"), judged("r", "c")]
    manifest = dedup(recipe, documents, pairs)
    assert rows_of(recipe.output, "dedup", "pairs", Pair) == [judged("q", "b"), judged("r", "b")]
    assert manifest.counts["dropped_pairs"] == 1


@pytest.mark.parametrize("remember", ["signatures", "shingles"])
def test_a_contaminated_document_is_not_remembered_so_nothing_later_goes_for_it(tmp_path: Path, remember: str) -> None:
    old = benchmarked(tmp_path / "old", dedup={"remember": remember})
    dedup(old, [document("a", text(TEST)), document("b", "something else")])
    assert {each.doc_id for each in rows_of(old.output, "dedup", "signatures", Signature)} == {"d/b"}
    new = recipe_for(tmp_path / "new", dedup={"against": [old.output]})
    manifest = dedup(new, [document("c", text(CLEAN)), document("d", text(TEST)), document("e", "Something else")])
    assert manifest.drops == {"near_duplicate": 1, "exact_duplicate": 1}, "d goes for c, e for b"
    assert kept(new.output) == {"d/c"}


def test_an_output_of_contaminated_documents_alone_may_be_named_in_against(tmp_path: Path) -> None:
    old = benchmarked(tmp_path / "old")
    dedup(old, [document("a", text(TEST))])
    new = recipe_for(tmp_path / "new", dedup={"against": [old.output]})
    assert list(known_problems(new, Parameters.of(new.dedup))) == []
    assert dedup(new, [document("b", text(CLEAN))]).books.kept.count == 1


def contents(manifest: Manifest) -> dict[str, str]:
    return {name: manifest.digest(name) for name in ("documents", "pairs", "fates", "rejects", "signatures")}


def corpus() -> Sequence[Document]:
    """Families of near-duplicates and copies, of which some hold the test's text."""
    draw = random.Random(5)
    documents = []
    for family in range(40):
        words = [f"f{family}x{place}" for place in range(80)]
        for member in range(1 + family % 5):
            middle = TEST if draw.random() < 0.3 else CLEAN
            edited = " ".join([*words[:40], middle, *words[40:], "" if draw.random() < 0.4 else f"e{member}"])
            documents.append(document(f"{family:02}-{member}", edited))
    return documents


def test_what_stays_is_what_deduplicating_the_clean_documents_alone_leaves(tmp_path: Path) -> None:
    documents = corpus()
    clean = [each for each in documents if TEST not in each.text]
    pairs = [judged(f"q{place % 7}", each.doc_id[2:]) for place, each in enumerate(documents) if place % 3 == 0]
    alone = dedup(recipe_for(tmp_path / "alone"), clean, [each for each in pairs if each.doc_id in _ids(clean)])
    screened = benchmarked(tmp_path / "screened")
    found = dedup(screened, documents, pairs)
    assert found.drops["contaminated"] == len(documents) - len(clean) > 20
    assert found.drops["near_duplicate"] > 5
    for table in ("documents", "pairs", "signatures"):
        assert found.digest(table) == alone.digest(table)
    for name, sections, options in (
        ("turned", {}, ()),
        ("repeated", {}, ("--direct_runner_bundle_repeat=1",)),
        ("two", {"beam": {"workers": 2}, "dedup": {"components": "distributed"}}, ()),
    ):
        other = benchmarked(tmp_path / name, **sections)
        order = documents[::-1] if name == "turned" else documents
        assert contents(dedup(other, order, pairs, *options)) == contents(found)


def _ids(documents: Sequence[Document]) -> set[str]:
    return {each.doc_id for each in documents}
