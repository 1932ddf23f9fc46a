"""dedup on real corpora, against what was measured on them by hand."""

import csv
from pathlib import Path

from dedup_world import corpus, dedup, judgements
from oreline.minhash.candidates import describe, shared_buckets
from oreline.minhash.parameters import Parameters
from oreline.normalise import text_hash
from oreline.recipe.settings import Dedup
from oreline.records import Document, Pair, Reject
from oreline.tables.schema import to_arrow

from house import data_folder, recipe_for, rows_of


def test_rn_docs_loses_its_331_exact_copies(tmp_path: Path) -> None:
    documents = corpus(data_folder("rn-docs-sample"))
    manifest = dedup(recipe_for(tmp_path), documents)
    assert manifest.books.units.count == 538
    assert manifest.drops["exact_duplicate"] == len(documents) - len({each.content_hash for each in documents}) == 331
    hashes = {each.doc_id: each.content_hash for each in documents}
    kept = {each.content_hash for each in rows_of(tmp_path, "dedup", "documents", Document)}
    for reject in rows_of(tmp_path, "dedup", "rejects", Reject):
        assert hashes[reject.row_id] in kept or "Jaccard" in reject.detail


def test_rn_docs_pairs_of_high_similarity_become_candidates() -> None:
    folder = data_folder("rn-docs-sample")
    documents = corpus(folder)
    plain = [Document(each.doc_id, "d", each.text, each.content_hash, each.text_hash) for each in documents]
    shared = shared_buckets(describe(to_arrow(Document, plain), Parameters.of(Dedup())).buckets).to_pylist()
    buckets: dict[int, set[str]] = {}
    for row in shared:
        buckets.setdefault(row["bucket"], set()).add(row["doc_id"])
    with (folder / "pairs_exact_jaccard.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    high = [row for row in rows if float(row["jaccard_word5"]) >= 0.8]
    low = [row for row in rows if float(row["jaccard_word5"]) < 0.5]

    def together(row: dict[str, str]) -> bool:
        names = {f"{folder.name}/{row['id1']}", f"{folder.name}/{row['id2']}"}
        return any(names <= members for members in buckets.values())

    assert len(high) == 522
    assert sum(map(together, high)) >= 0.99 * len(high)
    assert sum(map(together, low)) <= 0.1 * len(low)


def test_rn_docs_near_duplicates_are_those_of_the_exact_list(tmp_path: Path) -> None:
    """Every document dropped as near has a chain of listed pairs of 0.8 or more to its keeper; titles shift little."""
    folder = data_folder("rn-docs-sample")
    dedup(recipe_for(tmp_path), corpus(folder))
    with (folder / "pairs_exact_jaccard.tsv").open(encoding="utf-8", newline="") as file:
        listed = [row for row in csv.DictReader(file, delimiter="\t") if float(row["jaccard_word5"]) >= 0.79]
    names: dict[str, str] = {}

    def root(name: str) -> str:
        while names.get(name, name) != name:
            name = names[name]
        return name

    for row in listed:
        names[root(row["id1"])] = root(row["id2"])
    for reject in rows_of(tmp_path, "dedup", "rejects", Reject):
        assert reject.by is not None
        own, keeper = (each.removeprefix(f"{folder.name}/") for each in (reject.row_id, reject.by))
        assert root(own) == root(keeper) or reject.reason == "exact_duplicate"


def test_medquad_keeps_every_judged_text(tmp_path: Path) -> None:
    folder = data_folder("medquad-sample")
    documents, pairs = corpus(folder), judgements(folder)
    manifest = dedup(recipe_for(tmp_path), documents, pairs)
    before = {each.doc_id: each.content_hash for each in documents}
    after = {each.doc_id: each.content_hash for each in rows_of(tmp_path, "dedup", "documents", Document)}
    found = {(each.query_id, after[each.doc_id]) for each in rows_of(tmp_path, "dedup", "pairs", Pair)}
    assert found == {(each.query_id, before[each.doc_id]) for each in pairs}
    assert "near_duplicate" not in manifest.drops, "every answer is judged, so every near-duplicate stays"
    unjudged = dedup(recipe_for(tmp_path / "unjudged"), documents)
    assert unjudged.drops["exact_duplicate"] == manifest.drops["exact_duplicate"]
    assert unjudged.drops["near_duplicate"] > 50


def test_nl2bash_keeps_commands_that_differ_in_a_sign(tmp_path: Path) -> None:
    folder = data_folder("nl2bash")
    documents, pairs = corpus(folder, "code"), judgements(folder)
    manifest = dedup(recipe_for(tmp_path), documents, pairs)
    kept = {each.text for each in rows_of(tmp_path, "dedup", "documents", Document)}
    assert kept == {each.text for each in documents}
    assert {"set -e", "set +e"} <= kept
    as_text = {text_hash(each.text, "text") for each in documents}
    assert manifest.books.kept.count > len(as_text)
