"""dedup on real corpora, against what was measured on them by hand."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa

from dedup_world import corpus, dedup, judgements
from oreline.minhash.grams import Shape, shingles_of
from oreline.minhash.similarity import jaccard
from oreline.normalise import text_hash
from oreline.records import Document, Pair, Reject, Signature

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


def listed_pairs(folder: Path) -> list[dict[str, str]]:
    with (folder / "pairs_exact_jaccard.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_rn_docs_shingles_have_the_similarities_of_the_exact_list() -> None:
    folder = data_folder("rn-docs-sample")
    documents = corpus(folder)
    places = {each.doc_id.removeprefix(f"{folder.name}/"): place for place, each in enumerate(documents)}
    sets = shingles_of(pa.array([each.text for each in documents]), "text", Shape(5))
    rows = [row for row in listed_pairs(folder) if float(row["jaccard_word5"]) >= 0.5]
    found = jaccard(*(sets.take(np.array([places[row[end]] for row in rows])) for end in ("id1", "id2")))
    listed = np.array([float(row["jaccard_word5"]) for row in rows])
    # In the list's words an underscore is a letter; here it ends a word.
    assert len(rows) > 500
    assert np.median(np.abs(found - listed)) < 0.005
    assert np.max(np.abs(found - listed)) < 0.12


def test_rn_docs_pairs_of_high_similarity_are_in_one_cluster(tmp_path: Path) -> None:
    folder = data_folder("rn-docs-sample")
    documents = corpus(folder)
    plain = [Document(each.doc_id, "d", each.text, each.content_hash, each.text_hash) for each in documents]
    dedup(recipe_for(tmp_path, dedup={"verify": "none"}), plain)
    rows = rows_of(tmp_path, "dedup", "signatures", Signature)
    clusters = {each.doc_id.removeprefix(f"{folder.name}/"): each.cluster or each.doc_id for each in rows}
    high = [row for row in listed_pairs(folder) if float(row["jaccard_word5"]) >= 0.8]
    assert len(high) == 522
    assert sum(clusters[row["id1"]] == clusters[row["id2"]] for row in high) >= 0.99 * len(high)


def test_rn_docs_near_duplicates_are_those_of_the_exact_list(tmp_path: Path) -> None:
    """Every document dropped as near has a chain of listed pairs of 0.8 or more to its keeper; titles shift little."""
    folder = data_folder("rn-docs-sample")
    dedup(recipe_for(tmp_path), corpus(folder))
    listed = [row for row in listed_pairs(folder) if float(row["jaccard_word5"]) >= 0.79]
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
