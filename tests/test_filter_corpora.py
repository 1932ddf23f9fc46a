"""filter on real labelled corpora: equal queries become one, near ones with other positives are other questions."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from dedup_world import corpus, judgements
from oreline.records import FateRow, Pair, Query, Reject
from oreline.tables.manifest import Manifest
from query_world import query, run_filter

from house import data_folder, recipe_for, rows_of


def test_nl2bash_has_25_groups_of_equal_queries(tmp_path: Path) -> None:
    folder = data_folder("nl2bash")
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [query(row["_id"], row["text"], "human", dataset=folder.name) for row in rows]
    pairs = judgements(folder)
    manifest = run_filter(recipe_for(tmp_path), queries, pairs, documents=corpus(folder, "code"))
    fates = rows_of(tmp_path, "filter", "fates", FateRow)
    assert {fate.fate for fate in fates} == {"merged"}
    assert len({fate.into for fate in fates}) == 25
    keepers = {each.query_id: each.query_hash for each in rows_of(tmp_path, "filter", "queries", Query)}
    assert len(keepers) == len({each.query_hash for each in queries}) == manifest.books.kept.count
    hashes = {each.query_id: each.query_hash for each in queries}
    before = {(hashes[each.query_id], each.doc_id) for each in pairs}
    after = {(keepers[each.query_id], each.doc_id) for each in rows_of(tmp_path, "filter", "pairs", Pair)}
    assert after == before


def filtered(output: Path, **settings: object) -> Manifest:
    folder = data_folder("medquad-sample")
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [query(row["_id"], row["text"], "human", dataset=folder.name) for row in rows]
    recipe = recipe_for(output, filter=settings)
    return run_filter(recipe, queries, judgements(folder), documents=corpus(folder))


def test_near_queries_of_medquad_with_other_positives_name_other_diseases_and_stay(tmp_path: Path) -> None:
    same = filtered(tmp_path / "same", near_queries={"human": True, "threshold": 0.8})
    assert same.drops == {}
    united = filtered(tmp_path / "united", near_queries={"human": True, "threshold": 0.8, "positives": "union"})
    assert united.drops == {"duplicate_query": 183}
    found = {each.row_id: each for each in rows_of(tmp_path / "united", "filter", "rejects", Reject)}
    anemia = next(each for each in found.values() if each.payload == "What are the symptoms of Fanconi Anemia?")
    kept = {each.query_id: each.query for each in rows_of(tmp_path / "united", "filter", "queries", Query)}
    assert kept[str(anemia.by)] == "What are the symptoms of Anemia?"


def test_the_paragraph_that_44_pages_of_medquad_share_gets_as_many_pairs_as_the_cap_says(tmp_path: Path) -> None:
    manifest = filtered(tmp_path, duplicates="keep", caps={"per_paragraph": 2})
    hashes = {each.doc_id: each.text_hash for each in corpus(data_folder("medquad-sample"))}
    pairs = rows_of(tmp_path, "filter", "pairs", Pair)
    counts = Counter(hashes[each.doc_id] for each in pairs if each.label == "positive")
    assert max(counts.values()) == 2
    assert manifest.drops == {"over_paragraph_cap": 70}
    assert any("its text has 44 positive" in each.detail for each in rows_of(tmp_path, "filter", "rejects", Reject))


def test_equal_positives_of_one_query_of_medquad_become_one(tmp_path: Path) -> None:
    manifest = filtered(tmp_path, duplicates="keep", near_pairs={"human": True})
    assert manifest.drops == {"duplicate_pair": 48}
    assert manifest.books.dropped.count == 0
    hashes = {each.doc_id: each.text_hash for each in corpus(data_folder("medquad-sample"))}
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for each in rows_of(tmp_path, "filter", "pairs", Pair):
        if each.label == "positive":
            texts[each.query_id].append(hashes[each.doc_id])
    assert all(len(set(found)) == len(found) for found in texts.values())
