"""Bad input through the stage: one text a hundred thousand times, one huge row, half a surrogate pair, nothing."""

import json
import math
from dataclasses import replace
from pathlib import Path

import oreline
from dedup_world import SENTENCE, dedup, document
from oreline.minhash.members import score_of
from oreline.records import Document, Reject, Signature

from house import recipe_for, rows_of

EQUAL_ROWS = 100_000


def test_a_hundred_thousand_equal_rows_leave_one_and_as_many_edges_as_rows(tmp_path: Path) -> None:
    one = document("000000", SENTENCE)
    rows = [replace(one, doc_id=f"d/{place:06}") for place in range(EQUAL_ROWS)]
    manifest = dedup(recipe_for(tmp_path), rows)
    assert manifest.drops == {"exact_duplicate": EQUAL_ROWS - 1}
    assert [each.doc_id for each in rows_of(tmp_path, "dedup", "documents", Document)] == ["d/000000"]
    assert manifest.rows("signatures") == EQUAL_ROWS


def test_a_row_of_fifty_megabytes_is_signed_and_kept_whole(tmp_path: Path) -> None:
    block = " ".join(f"word{place:06}" for place in range(100_000))
    huge = " ".join(block.replace("word", f"w{part:03}") for part in range(48))
    assert len(huge) > 50_000_000
    assert dedup(recipe_for(tmp_path), [document("a", huge), document("b", SENTENCE)]).drops == {}
    kept = {each.doc_id: each.text for each in rows_of(tmp_path, "dedup", "documents", Document)}
    assert kept == {"d/a": huge, "d/b": SENTENCE}
    signatures = rows_of(tmp_path, "dedup", "signatures", Signature)
    assert [len(each.signature or b"") for each in signatures] == [4 * 14 * 8] * 2


def test_half_a_surrogate_pair_goes_at_ingest_and_its_neighbours_are_deduplicated(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    broken = json.dumps({"id": "x", "text": f"{SENTENCE} \ud800"})
    source.write_text("\n".join([broken, *(json.dumps({"id": name, "text": SENTENCE}) for name in "ab")]) + "\n")
    output = tmp_path / "out"
    oreline.run({"output": str(output), "sources": [{"path": str(source), "format": "jsonl"}]}, until="dedup")
    (refused,) = rows_of(output, "ingest", "rejects", Reject)
    assert refused.reason == "unreadable"
    assert "lone surrogate" in refused.detail
    assert [each.doc_id for each in rows_of(output, "dedup", "documents", Document)] == ["rows/a"]


def test_an_empty_corpus_leaves_empty_tables(tmp_path: Path) -> None:
    manifest = dedup(recipe_for(tmp_path), [])
    assert manifest.drops == {}
    assert rows_of(tmp_path, "dedup", "documents", Document) == []
    assert rows_of(tmp_path, "dedup", "signatures", Signature) == []
    assert manifest.books.balanced


def test_a_score_beyond_all_floats_is_infinite_and_no_score_comes_last() -> None:
    huge = 10**400
    given = (huge, -huge, "1e3", 2, True, None)
    found = [score_of(json.dumps({"stars": each}), "stars") for each in given]
    assert found == [math.inf, -math.inf, 1000.0, 2.0, -math.inf, -math.inf]
