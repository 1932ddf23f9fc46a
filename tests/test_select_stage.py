"""The stage select: its books, its rows on one worker and on two, and what it does without candidates or verdicts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from oreline.commit import Pending, read_outcome
from oreline.ids import Tally, sha256_json
from oreline.job import Job
from oreline.normalise import content_hash, query_hash, text_hash
from oreline.recipe.settings import Recipe
from oreline.records import (
    Candidate,
    Document,
    FateRow,
    Hit,
    Judgement,
    Pair,
    PoolEntry,
    Query,
    Reject,
    Scored,
    Triple,
    TripleNegative,
    TriplePositive,
)
from oreline.runner import run_pipeline
from oreline.selection import blocks
from oreline.stages.catalog import BY_NAME
from oreline.stages.select import CutBlocks
from oreline.stages.wiring import encode_row_group
from oreline.tables.reading import RowGroup

from house import finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
MINED = {**INPUTS, "candidates": "mine"}
JUDGED = {**MINED, "judgements": "judge"}
NUMBER = 60


def document(place: int) -> Document:
    text = f"the note numbered {place} tells of the {place} rivers of the valley {place}"
    return Document(f"d/{place}", "d", text, content_hash(None, text, "text"), text_hash(text, "text"))


def query(place: int) -> Query:
    text = f"which rivers has valley {place}"
    return Query(f"d/q{place}", "d", text, query_hash(text))


def candidate(place: int) -> Candidate:
    others = [other for other in range(NUMBER) if other != place]
    others.sort(key=lambda other: sha256_json([place, other]))
    pool = [
        PoolEntry(f"d/{other}", round(0.7 - 0.01 * rank, 2), [Hit("dense", rank, round(0.7 - 0.01 * rank, 2))])
        for rank, other in enumerate(others[:20], start=1)
    ]
    return Candidate(f"d/q{place}", [Scored(f"d/{place}", 1, 0.7)], [], pool)


def written(output: Path, sections: Mapping[str, object], *, queries: int = NUMBER, skip: int = 7) -> Recipe:
    """Writes a corpus in which every `skip`th query has no pair, and returns its recipe."""
    recipe = recipe_for(output, **sections)
    places = range(queries)
    pairs = [Pair(f"d/q{place}", f"d/{place}", "positive", "human") for place in places if place % skip]
    tables: dict[str, Sequence[object]] = {
        "documents": [document(place) for place in range(NUMBER)],
        "queries": [query(place) for place in places],
        "pairs": pairs,
    }
    finish(recipe, "ingest", tables)
    finish(recipe, "mine", {"candidates": [candidate(place) for place in places]})
    return recipe


def test_every_query_is_a_triple_or_a_reject_with_its_reason(tmp_path: Path) -> None:
    recipe = written(tmp_path, {})
    manifest = run_stage(recipe, "select", MINED)
    triples = rows_of(tmp_path, "select", "triples", Triple)
    rejects = rows_of(tmp_path, "select", "rejects", Reject)
    assert manifest.books.units == Tally.of(query(place).query_id for place in range(NUMBER))
    assert len(triples) + len(rejects) == NUMBER
    assert {reject.reason for reject in rejects} == {"no_positive"}
    assert [reject.table for reject in rejects] == ["triples"] * 9
    fates = rows_of(tmp_path, "select", "fates", FateRow)
    assert {fate.unit_id for fate in fates} == {reject.row_id for reject in rejects}
    assert manifest.drops == {"no_positive": 9}
    assert manifest.counts["mined_negatives"] == 4 * len(triples)
    assert manifest.counts["positives"] == len(triples)


def test_a_repeated_bundle_and_a_second_worker_change_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = written(tmp_path, {})
    once = run_stage(recipe, "select", MINED)
    rows = rows_of(tmp_path, "select", "triples", Triple)
    repeated = run_stage(recipe, "select", MINED, ["--direct_runner_bundle_repeat=1"])
    assert repeated.digest("triples") == once.digest("triples")
    assert repeated.counts == once.counts
    two = recipe.model_copy(update={"beam": recipe.beam.model_copy(update={"workers": 2})})
    assert run_stage(two, "select", MINED).digest("triples") == once.digest("triples")
    monkeypatch.setattr(blocks, "MOST_QUERIES", 5)
    small = run_stage(recipe, "select", MINED)
    assert small.digest("triples") == once.digest("triples")
    assert small.counts == once.counts
    assert rows_of(tmp_path, "select", "triples", Triple) == rows


def test_a_row_group_is_cut_into_blocks_that_cover_it(tmp_path: Path) -> None:
    job = Job(str(tmp_path), "select", written(tmp_path, {}), dict(MINED))
    reference = encode_row_group(RowGroup("queries", "ingest/queries/part-1.parquet", 0, 5_000))
    cut = [json.loads(block)[1:] for block in CutBlocks(job)(reference)]
    assert cut == [[0, 2_048], [2_048, 2_048], [4_096, 2_048]]


def test_blocks_are_smaller_where_documents_are_long_and_their_texts_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = written(tmp_path, {"mine": {"top_k": 20, "spare": 0}})
    job = Job(str(tmp_path), "select", recipe, dict(MINED))
    size = 4 * sum(part.size for part in job.parts("documents"))
    monkeypatch.setattr(blocks, "FEWEST_QUERIES", 1)
    monkeypatch.setattr(blocks, "TEXT_BYTES", 2 * size)
    assert blocks.block_queries(job) == 2_048
    monkeypatch.setattr(blocks, "TEXT_BYTES", size - 1)
    assert blocks.block_queries(job) == 2
    without = recipe_for(tmp_path, select={"near_equal": None})
    assert blocks.block_queries(Job(str(tmp_path), "select", without, dict(MINED))) == 2_048


def test_without_negatives_rows_are_pairs_and_no_candidates_are_read(tmp_path: Path) -> None:
    recipe = written(tmp_path, {"select": {"negatives": 0}})
    run_stage(recipe, "select", INPUTS)
    rows = rows_of(tmp_path, "select", "triples", Triple)
    assert len(rows) == 51
    assert {(len(row.positives), len(row.negatives), row.short) for row in rows} == {(1, 0, None)}
    assert rows[0].positives == [TriplePositive("d/1", document(1).content_hash, "human")]


def test_without_candidates_the_stage_fails_and_says_what_to_run(tmp_path: Path) -> None:
    recipe = written(tmp_path, {})
    job = Job(recipe.output, "select", recipe, dict(INPUTS))
    run_pipeline(job, BY_NAME["select"], Pending("test", {}, "2026-01-01T00:00:00Z"))
    outcome = read_outcome(recipe.output, "select")
    assert outcome is not None
    assert outcome.failure == "nothing_to_select_from"
    assert "run mine first" in outcome.message


def test_lowest_ranked_without_a_judge_fails_and_names_the_other_picks(tmp_path: Path) -> None:
    recipe = written(tmp_path, {"select": {"pick": "lowest_ranked"}})
    job = Job(recipe.output, "select", recipe, dict(MINED))
    run_pipeline(job, BY_NAME["select"], Pending("test", {}, "2026-01-01T00:00:00Z"))
    outcome = read_outcome(recipe.output, "select")
    assert outcome is not None
    assert "hardest or random" in outcome.message


def test_a_stop_ends_the_stage_without_a_manifest(tmp_path: Path) -> None:
    recipe = written(tmp_path, {})
    (tmp_path / "_progress").mkdir()
    (tmp_path / "_progress" / "stop").touch()
    job = Job(recipe.output, "select", recipe, dict(MINED))
    run_pipeline(job, BY_NAME["select"], Pending("test", {}, "2026-01-01T00:00:00Z"))
    outcome = read_outcome(recipe.output, "select")
    assert outcome is not None
    assert outcome.stopped == "interrupted"


def test_a_judge_relabels_a_synthetic_query_and_its_seed_leaves_the_row(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, select={"negatives": 1, "pick": "hardest"})
    asked = replace(query(0), origin="synthetic")
    pool = candidate(0).pool
    better, worse = pool[1].doc_id, pool[2].doc_id
    tables: dict[str, Sequence[object]] = {
        "documents": [document(place) for place in range(NUMBER)],
        "queries": [asked],
    }
    finish(recipe, "ingest", {**tables, "pairs": [Pair("d/q0", "d/0", "positive", "seed")]})
    finish(recipe, "mine", {"candidates": [candidate(0)]})
    judgements = [
        Judgement("d/q0", "d/0", "listwise", 0.0, "irrelevant"),
        Judgement("d/q0", better, "listwise", 3.0, "relevant"),
        Judgement("d/q0", worse, "listwise", 0.0, "irrelevant"),
    ]
    finish(recipe, "judge", {"judgements": judgements})
    manifest = run_stage(recipe, "select", JUDGED)
    (row,) = rows_of(tmp_path, "select", "triples", Triple)
    content = {place: document(place).content_hash for place in range(NUMBER)}
    assert row.positives == [TriplePositive(better, content[int(better[2:])], "relabel", 0.68, 3.0)]
    # Of three judged documents the two irrelevant ones share the ranks 2 and 3; only one of them may be a negative.
    # It scores .67, above 95 % of the new positive's .68, so the row stays empty until the ceiling is lifted.
    assert (row.negatives, manifest.counts["relabelled"]) == ([], 1)
    lifted = recipe_for(tmp_path, select={"negatives": 1, "pick": "hardest", "ceiling": "none"})
    run_stage(lifted, "select", JUDGED)
    (row,) = rows_of(tmp_path, "select", "triples", Triple)
    assert row.negatives == [TripleNegative(worse, content[int(worse[2:])], "dense", 3, 0.67, 0.0, 1 / 62.5)]


def test_equal_queries_of_two_splits_share_no_negative_that_is_the_others_positive(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, select={"negatives": 4, "pick": "hardest", "window": [1, 4], "ceiling": "none"})
    first, second = query(0), replace(query(1), query=query(0).query.upper(), query_hash=query(0).query_hash)
    stranger = candidate(0).pool[0].doc_id
    pairs = [Pair("d/q0", "d/0", "positive", "human"), Pair("d/q1", stranger, "positive", "human")]
    tables: dict[str, Sequence[object]] = {"documents": [document(place) for place in range(NUMBER)], "pairs": pairs}
    finish(recipe, "ingest", {**tables, "queries": [first, replace(second, split="test")]})
    finish(recipe, "mine", {"candidates": [candidate(0), replace(candidate(1), positives=[Scored(stranger, 1, 0.5)])]})
    manifest = run_stage(recipe, "select", MINED)
    rows = rows_of(tmp_path, "select", "triples", Triple)
    assert stranger not in {negative.doc_id for row in rows for negative in row.negatives}
    assert manifest.counts["excluded_equal_query_positive"] >= 1
