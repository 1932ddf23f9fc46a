"""filter on a real labelled corpus: queries of people that are equal become one with all their positives."""

import json
from pathlib import Path

from dedup_world import corpus, judgements
from oreline.records import FateRow, Pair, Query
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
